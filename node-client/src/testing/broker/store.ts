/** Everything by name, and what happens to messages: publishing, routing, retrying, dead letters. It knows no connection. */
import { Conflict, InvalidRequest, QueueFull, QueueNotFound, Unroutable, Unsupported } from "../../errors.js";
import { type Header, isRecord } from "../../protocol/frame.js";
import { type ReceivedFrame, readPublish, textOf } from "../wire.js";
import { type GroupSettings, TestGroup } from "./group.js";
import type { Entry, TestMessage } from "./message.js";
import { matches } from "./pattern.js";
import { retryDelayMs } from "./retry.js";
import { TestStream, type TestStreamSettings } from "./stream.js";

const DEDUP_MS = 300_000;

export interface TestBinding {
  readonly topic: string;
  readonly queue?: string;
  readonly stream?: string;
  readonly headers?: Header;
}

const queueDefaults = (name: string): GroupSettings => ({
  lease_ms: 30_000,
  attempts_max: 5,
  backoff_ms: 1_000,
  backoff_max_ms: 600_000,
  dead_letter: name.endsWith(".dead") ? null : `${name.replace("/", ".")}.dead`,
  expire_ms: null,
  concurrency_max: null,
  rate_max: null,
  length_max: null,
  bytes_max: null,
  overflow: "reject",
});
const STREAM_DEFAULTS: TestStreamSettings = {
  retention_ms: 604_800_000,
  retention_bytes: null,
  retention_count: null,
  keep_until_acked: false,
  compaction: false,
  tombstone_ms: 86_400_000,
};

export class TestStore {
  readonly queues = new Map<string, TestGroup>();
  readonly streams = new Map<string, TestStream>();
  readonly bindings: TestBinding[] = [];
  readonly messages = new Map<string, TestMessage>();
  /** Where each message went, for its state. */
  readonly places = new Map<string, (TestGroup | TestStream)[]>();
  readonly #dedup = new Map<string, { readonly id: string; readonly body: string; readonly at: number }>();
  position = 0;
  now: number;

  constructor(now: number) {
    this.now = now;
  }

  queue(name: string, declare: boolean): TestGroup {
    const found = this.queues.get(name);
    if (found !== undefined) return found;
    if (this.streams.has(name)) throw new Conflict(`"${name}" is a stream.`);
    if (!declare) throw new QueueNotFound(`There is no queue named "${name}".`);
    const made = new TestGroup(name, queueDefaults(name));
    this.queues.set(name, made);
    return made;
  }

  stream(name: string, declare: boolean): TestStream {
    const found = this.streams.get(name);
    if (found !== undefined) return found;
    if (this.queues.has(name)) throw new Conflict(`"${name}" is a queue.`);
    if (!declare) throw new QueueNotFound(`There is no stream named "${name}".`);
    const made = new TestStream(name, { ...STREAM_DEFAULTS });
    this.streams.set(name, made);
    return made;
  }

  group(stream: string, name: string, declare: boolean, from: unknown): TestGroup {
    const log = this.stream(stream, declare);
    const found = log.groups.get(name);
    if (found !== undefined) return found;
    if (!declare) throw new QueueNotFound(`The stream "${stream}" has no group "${name}".`);
    const made = new TestGroup(`${stream}/${name}`, queueDefaults(`${stream}/${name}`));
    log.groups.set(name, made);
    log.fill(made, log.offsetOf(from));
    for (const { message } of made.entries.values()) this.placed(message.id, made);
    return made;
  }

  declare({ queue, stream, group, settings = {}, update, from }: Header): boolean {
    const given = isRecord(settings) ? settings : {};
    refuse(given);
    const isNew =
      typeof group === "string"
        ? !this.streams.get(String(stream))?.groups.has(group)
        : typeof stream === "string"
          ? !this.streams.has(stream)
          : !this.queues.has(String(queue));
    const thing =
      typeof group === "string"
        ? this.group(String(stream), group, true, from)
        : typeof stream === "string"
          ? this.stream(stream, true)
          : this.queue(String(queue), true);
    const now = thing.settings as unknown as Record<string, unknown>;
    const differs = Object.entries(given).some(([name, value]) => now[name] !== value);
    if (differs && !isNew && update !== true) throw new Conflict(`"${thing.name}" has other settings.`);
    Object.assign(now, given);
    return isNew;
  }

  /** Stores a frame as a whole, or throws and stores nothing. */
  publish(frame: ReceivedFrame): Header {
    const { header } = frame;
    const { queue, stream, topic } = header;
    const parsed = readPublish(frame);
    const declare = header["declare"] !== false;
    const name = String(topic ?? stream ?? queue);
    const duplicates: Record<string, string> = {};
    const fresh = parsed.flatMap((message, index) => {
      const first = this.#known(name, message);
      if (first !== undefined) duplicates[index] = first;
      return first === undefined ? [{ message, index }] : [];
    });
    const targets = new Map<TestGroup | TestStream, typeof fresh>();
    if (typeof topic === "string") {
      for (const binding of this.bindings.filter(({ topic: pattern }) => matches(pattern, topic))) {
        const target =
          binding.queue === undefined ? this.streams.get(binding.stream ?? "") : this.queues.get(binding.queue);
        const fitting = fresh.filter(({ message }) => fits(binding.headers, message.headers));
        if (target !== undefined && fitting.length > 0)
          targets.set(target, [...new Set([...(targets.get(target) ?? []), ...fitting])]);
      }
      if (targets.size === 0 && header["mandatory"] === true) throw new Unroutable(`No binding matches "${topic}".`);
    } else if (typeof stream === "string") targets.set(this.stream(stream, declare), fresh);
    else targets.set(this.queue(String(queue), declare), fresh);
    for (const [target, messages] of targets) {
      const max = target instanceof TestGroup ? target.settings.length_max : null;
      if (target instanceof TestGroup && max !== null && target.entries.size + messages.length > max)
        throw new QueueFull(`"${target.name}" is full.`, { details: { queue: target.name } });
    }

    const position = ++this.position;
    const idPrefix = `1-t${position.toString(36)}-`;
    const made = new Map(
      fresh.map(({ message, index }) => {
        const { expireMs, dedupKey } = message;
        const expiresAt = typeof expireMs === "number" ? this.now + expireMs : undefined;
        const timeline = [{ at: this.now, kind: "published" }];
        const id = idPrefix + index;
        if (typeof dedupKey === "string")
          this.#dedup.set(`${name} ${dedupKey}`, { id, body: textOf(message.body), at: this.now });
        const one: TestMessage = {
          ...message,
          ...(typeof topic === "string" ? { topic } : {}),
          id,
          position,
          index,
          publishedAt: this.now,
          expiresAt,
          timeline,
          logs: [],
        };
        this.messages.set(id, one);
        return [index, one] as const;
      }),
    );
    for (const [target, messages] of targets)
      for (const { index } of messages) {
        const message = made.get(index);
        if (message !== undefined) this.#place(target, message);
      }
    const watchKey = `key-${position}`;
    return {
      ...{ position, count: parsed.length, id_prefix: idPrefix, watch_key: watchKey },
      ...(typeof topic === "string" ? { routed: targets.size } : {}),
      ...(Object.keys(duplicates).length > 0 ? { duplicates } : {}),
    };
  }

  /** An attempt failed. */
  fail(group: TestGroup, entry: Entry, { reason, delay_ms, dead }: Header): void {
    entry.attempts++;
    entry.reason = typeof reason === "string" ? reason : undefined;
    const { attempts_max, backoff_ms, backoff_max_ms } = group.settings;
    if (dead === true || entry.attempts >= attempts_max) {
      this.#bury(group, entry);
      return;
    }
    const { position, index, timeline } = entry.message;
    const delay =
      typeof delay_ms === "number"
        ? delay_ms
        : retryDelayMs(entry.attempts, backoff_ms, backoff_max_ms, position, index);
    group.retried++;
    entry.due = this.now + delay;
    entry.state = delay > 0 ? "retrying" : "ready";
    timeline.push({ at: this.now, kind: "retrying", attempt: entry.attempts, reason: entry.reason, due: entry.due });
  }

  /** From a dead-letter queue back to where it came from. */
  redrive(queue: TestGroup, entry: Entry): boolean {
    const origin = entry.origin;
    const group = origin === undefined ? undefined : this.find(origin.group);
    if (origin === undefined || group === undefined) return false;
    if (origin.group.includes("/")) {
      if (this.streams.get(origin.group.split("/")[0] ?? "")?.at(origin.sequence) === undefined) return false;
      group.add(entry.message, origin.sequence);
    } else group.add(entry.message, group.nextSequence);
    queue.entries.delete(entry.sequence);
    group.endings.delete(entry.message.id);
    entry.message.timeline.push({ at: this.now, kind: "redriven" });
    return true;
  }

  /** A queue, or a group as `<stream>/<group>`. */
  find(name: string): TestGroup | undefined {
    const [stream = "", group] = name.split("/");
    return group === undefined ? this.queues.get(name) : this.streams.get(stream)?.groups.get(group);
  }

  *groups(): Generator<TestGroup> {
    yield* this.queues.values();
    for (const stream of this.streams.values()) yield* stream.groups.values();
  }

  /** When something happens next by itself. */
  nextDue(): number | undefined {
    let next: number | undefined;
    for (const group of this.groups())
      for (const { state, due, message } of group.entries.values())
        for (const at of [state === "delayed" || state === "retrying" ? due : undefined, expiry(state, message)])
          if (at !== undefined && (next === undefined || at < next)) next = at;
    return next;
  }

  /** Does what is due. */
  tick(): void {
    for (const group of this.groups())
      for (const entry of [...group.entries.values()]) {
        const at = expiry(entry.state, entry.message);
        if (at !== undefined && at <= this.now) {
          group.end(entry, { state: "expired", result: undefined });
          entry.message.timeline.push({ at: this.now, kind: "expired" });
        } else if (entry.state !== "leased" && entry.due !== undefined && entry.due <= this.now) {
          entry.state = "ready";
          entry.due = undefined;
        }
      }
    for (const stream of this.streams.values()) stream.trim(this.now);
  }

  #place(target: TestGroup | TestStream, message: TestMessage): void {
    if (target instanceof TestStream) {
      target.add(message);
      target.trim(this.now);
      for (const group of target.groups.values()) this.placed(message.id, group);
      if (target.groups.size === 0) this.placed(message.id, target);
      return;
    }
    const at = typeof message.deliverAt === "number" ? message.deliverAt : undefined;
    const due = at ?? this.now + (typeof message.delayMs === "number" ? message.delayMs : 0);
    const delay = due > this.now ? due : undefined;
    const expire = target.settings.expire_ms;
    const expiresAt = message.expiresAt ?? (expire === null ? undefined : this.now + expire);
    target.add({ ...message, expiresAt }, target.nextSequence, delay);
    this.placed(message.id, target);
  }

  /** Remembers that a message went there. */
  placed(id: string, place: TestGroup | TestStream): void {
    const places = this.places.get(id) ?? [];
    this.places.set(id, places);
    if (!places.includes(place)) places.push(place);
  }

  #bury(group: TestGroup, entry: Entry): void {
    const { dead_letter } = group.settings;
    group.end(entry, { state: "dead", result: undefined });
    entry.message.timeline.push({ at: this.now, kind: "dead", attempt: entry.attempts, reason: entry.reason });
    if (dead_letter === null) return;
    const graves = this.queue(dead_letter, true);
    const origin = { group: group.name, sequence: entry.sequence };
    graves.add({ ...entry.message, expiresAt: undefined }, graves.nextSequence, undefined, origin, entry.reason);
  }

  #known(
    name: string,
    { dedupKey, body }: { readonly dedupKey?: unknown; readonly body: Uint8Array },
  ): string | undefined {
    const before = typeof dedupKey === "string" ? this.#dedup.get(`${name} ${dedupKey}`) : undefined;
    if (before === undefined || before.at + DEDUP_MS <= this.now) return undefined;
    if (before.body !== textOf(body))
      throw new Conflict("The dedup key was used with another body.", { details: { message_id: before.id } });
    return before.id;
  }
}

const expiry = (state: Entry["state"], { expiresAt }: TestMessage): number | undefined =>
  state === "leased" ? undefined : expiresAt;

function fits(filter: Header | undefined, headers: unknown): boolean {
  const values = isRecord(filter?.["values"]) ? Object.entries(filter["values"]) : [];
  if (values.length === 0) return true;
  const fit = ([name, value]: [string, unknown]): boolean => isRecord(headers) && headers[name] === value;
  return filter?.["match"] === "any" ? values.some(fit) : values.every(fit);
}

/** What the double does not do is refused, so that no test believes in it. */
function refuse(settings: Header): void {
  const no = (name: string): never => {
    throw new Unsupported(`The test broker has no ${name}.`);
  };
  for (const name of ["rate_max", "bytes_max", "retention_bytes"]) if (typeof settings[name] === "number") no(name);
  if (settings["overflow"] !== undefined && settings["overflow"] !== "reject") no("overflow but reject");
  for (const name of ["keep_until_acked", "compaction"]) if (settings[name] === true) no(name);
  if (typeof settings["dead_letter"] === "string" && settings["dead_letter"].includes("/"))
    throw new InvalidRequest("A dead-letter queue is a queue.");
}
