/** Carries out `operate` (docs/protocol.md §6). */
import { InvalidState, MessageNotFound, QueueNotFound, Unsupported } from "../../errors.js";
import { type Header, isRecord } from "../../protocol/frame.js";
import type { TestGroup } from "./group.js";
import type { Entry } from "./message.js";
import type { TestStore } from "./store.js";

/** @param revoke - takes an entry away from who holds it. */
export function operate(store: TestStore, header: Header, revoke: (entry: Entry, reason: string) => void): Header {
  const queue = (): TestGroup => {
    const found = store.queues.get(String(header["queue"]));
    if (found === undefined) throw new QueueNotFound(`There is no queue named "${String(header["queue"])}".`);
    return found;
  };
  const entriesOf = (group: TestGroup, ids: unknown): Entry[] =>
    [...group.entries.values()].filter(({ message }) => !Array.isArray(ids) || ids.includes(message.id));
  const end = (group: TestGroup, entry: Entry, state: "purged" | "cancelled"): void => {
    if (entry.state === "leased") revoke(entry, state);
    group.end(entry, { state, result: undefined });
    if (entry.origin !== undefined) store.find(entry.origin.group)?.amend(entry.message.id, state);
    entry.message.timeline.push({ at: store.now, kind: state });
  };

  switch (header["do"]) {
    case "confirm_clock":
      return { confirmed: false };
    case "pause":
    case "resume":
      queue().isPaused = header["do"] === "pause";
      return { paused: header["do"] === "pause" };
    case "purge": {
      const group = queue();
      const idle = [...group.entries.values()].filter(({ state }) => state !== "leased");
      for (const entry of idle) end(group, entry, "purged");
      return { count: idle.length };
    }
    case "discard": {
      const group = queue();
      const named = entriesOf(group, header["messages"]);
      for (const entry of named) end(group, entry, "purged");
      return { count: named.length };
    }
    case "redrive": {
      const group = queue();
      const named = entriesOf(group, header["messages"]).slice(0, Number(header["limit"] ?? Number.POSITIVE_INFINITY));
      return { count: named.filter((entry) => store.redrive(group, entry)).length };
    }
    case "edit": {
      const group = queue();
      const [entry] = entriesOf(group, [header["message"]]);
      const given = isRecord(header["with"]) ? header["with"] : {};
      if (entry?.origin === undefined) throw new MessageNotFound("There is no such dead message.");
      if (entry.origin.group.includes("/"))
        throw new InvalidState(
          `"${entry.origin.group}" is a group: an edited message would reach every group of the stream.`,
        );
      const { key, priority, headers: kept } = entry.message;
      const own = given["headers"] === undefined ? kept : given["headers"];
      const headers = { ...(isRecord(own) ? own : {}), "postroad-cause": entry.message.id };
      const publish = { queue: entry.origin.group, messages: [{ key, priority, ...given, headers }] };
      const { id_prefix } = store.publish({ op: "publish", header: publish, bodies: [] });
      end(group, entry, "purged");
      return { message: `${String(id_prefix)}0` };
    }
    case "cancel": {
      const id = String(header["message"]);
      if (!store.messages.has(id)) throw new MessageNotFound(`There is no message ${id}.`);
      let count = 0;
      for (const group of store.groups())
        for (const entry of entriesOf(group, [id])) {
          end(group, entry, "cancelled");
          count++;
        }
      if (count === 0) throw new InvalidState("The message is settled.");
      return { state: "cancelled" };
    }
    case "reset": {
      const stream = store.stream(String(header["stream"]), false);
      const group = store.group(stream.name, String(header["group"]), false, undefined);
      for (const entry of group.entries.values()) if (entry.state === "leased") revoke(entry, "reset");
      const offset = stream.offsetOf(header["to"]);
      stream.fill(group, offset);
      return { offset };
    }
    case "replay": {
      const stream = store.stream(String(header["stream"]), false);
      const target = queue();
      const [first, last] = [Number(header["first"]), Number(header["last"])];
      const messages = stream.kept.slice(Math.max(0, first - stream.earliest), Math.max(0, last + 1 - stream.earliest));
      if (header["dry_run"] !== true)
        for (const message of messages) {
          target.add(message, target.nextSequence);
          store.placed(message.id, target);
        }
      return { count: messages.length };
    }
    case "stop":
      // Here an operation has ended before anything else is received.
      throw new InvalidState(`No operation "${String(header["operation"])}" goes on.`);
    default:
      throw new Unsupported(`The test broker cannot do "${String(header["do"])}".`);
  }
}
