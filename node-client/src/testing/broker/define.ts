/** `delete`, `bind` and `unbind` (docs/protocol.md §3). */
import type { Header } from "../../protocol/frame.js";
import type { TestGroup } from "./group.js";
import { checkPattern } from "./pattern.js";
import type { TestStore } from "./store.js";

/** @returns the groups that are gone. */
export function remove(store: TestStore, { queue, stream, group }: Header): ReadonlySet<TestGroup> {
  const gone = new Set<TestGroup>();
  if (typeof stream !== "string") {
    gone.add(store.queue(String(queue), false));
    store.queues.delete(String(queue));
    unbindAll(store, String(queue));
    return gone;
  }
  const log = store.stream(stream, false);
  for (const [name, one] of [...log.groups])
    if (group === undefined || group === name) {
      gone.add(one);
      log.groups.delete(name);
    }
  if (group === undefined) {
    store.streams.delete(stream);
    unbindAll(store, stream);
  }
  return gone;
}

function unbindAll({ bindings }: TestStore, name: string): void {
  const kept = bindings.filter(({ queue, stream }) => queue !== name && stream !== name);
  bindings.splice(0, bindings.length, ...kept);
}

/** @returns whether something changed. */
export function bind(store: TestStore, { op, topic, queue, stream, headers }: Header): boolean {
  const target =
    typeof stream === "string"
      ? { stream: store.stream(stream, false).name }
      : { queue: store.queue(String(queue), false).name };
  const filter = headers === undefined ? {} : { headers: { match: "all", ...(headers as Header) } };
  const binding = { topic: checkPattern(String(topic)), ...target, ...filter };
  const index = store.bindings.findIndex((one) => JSON.stringify(one) === JSON.stringify(binding));
  if (op === "bind" && index < 0) store.bindings.push(binding);
  if (op === "unbind" && index >= 0) store.bindings.splice(index, 1);
  return (op === "bind") === index < 0;
}
