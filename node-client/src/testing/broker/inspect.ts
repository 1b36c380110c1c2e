/** Answers to `query` (docs/protocol.md §6). */
import { MessageNotFound, QueueNotFound, Unsupported } from "../../errors.js";
import { type Header, isRecord } from "../../protocol/frame.js";
import { textOf } from "../wire.js";
import type { TestGroup } from "./group.js";
import { bodyOf, type Entry, type TestMessage } from "./message.js";
import type { TestStore } from "./store.js";
import { TestStream } from "./stream.js";

const SHOWN: Record<Entry["state"], string> = {
  ready: "queued",
  delayed: "delayed",
  retrying: "retrying",
  leased: "delivered",
};

export class Inspector {
  readonly #store: TestStore;
  readonly #consumers: (group: TestGroup) => number;

  constructor(store: TestStore, consumers: (group: TestGroup) => number) {
    this.#store = store;
    this.#consumers = consumers;
  }

  query(header: Header): Header {
    const store = this.#store;
    switch (header["what"]) {
      case "overview":
        return { queues: this.queues(), connections: 1, engine: "test", durability: "memory", uptime_ms: 0 };
      case "queues":
        return { queues: this.queues() };
      case "queue": {
        const queue = this.#queue(header);
        return { queue: this.stats(queue), settings: queue.settings, consumers: [] };
      }
      case "messages":
        return this.#messages(header);
      case "message":
        return { message: this.message(String(header["message"]), true) };
      case "logs":
        return { logs: this.logs(String(header["message"])) };
      case "streams":
        return { streams: this.streams() };
      case "stream":
        return { stream: this.stream(store.stream(String(header["stream"]), false)) };
      case "offset":
        return { offset: store.stream(String(header["stream"]), false).offsetOf({ at: header["at"] }) };
      case "bindings":
        return { bindings: store.bindings };
      case "schedules":
        return { schedules: [] };
      case "operations":
        return { operations: [] };
      case "events":
        return { events: [] };
      default:
        throw new Unsupported(`The test broker has no query "${String(header["what"])}".`);
    }
  }

  stats(group: TestGroup): Header {
    return group.stats(this.#consumers(group), this.#store.now);
  }

  queues(): Header[] {
    return [...this.#store.queues.values()].map((queue) => this.stats(queue));
  }

  streams(): Header[] {
    return [...this.#store.streams.values()].map((stream) => this.stream(stream));
  }

  /** A message with what became of it. @throws MessageNotFound */
  message(id: string, withBody: boolean): Header {
    const message = this.#store.messages.get(id);
    if (message === undefined) throw new MessageNotFound(`There is no message ${id}.`);
    const places = (this.#store.places.get(id) ?? []).map((place) => this.#placement(message, place));
    const first = places[0] ?? { ...NOWHERE, timeline: message.timeline };
    return {
      ...{ id, type: message.type ?? "json", size: message.body.length, published_at: message.publishedAt },
      ...{ priority: message.priority ?? 0, ...first },
      ...(message.topic === undefined ? {} : { topic: message.topic }),
      ...(places.length > 1 ? { placements: places } : {}),
      ...(withBody ? { headers: message.headers ?? null, key: message.key ?? null, body: bodyOf(message) } : {}),
    };
  }

  /** What its handlers said. @throws MessageNotFound */
  logs(id: string): readonly Header[] {
    const message = this.#store.messages.get(id);
    if (message === undefined) throw new MessageNotFound(`There is no message ${id}.`);
    return message.logs;
  }

  #placement({ id, timeline }: TestMessage, place: TestGroup | TestStream): Header {
    if (place instanceof TestStream) return { ...NOWHERE, queue: place.name, state: "kept", timeline };
    const entry = [...place.entries.values()].find(({ message }) => message.id === id);
    const ending = place.endings.get(id);
    const common = { queue: place.name, attempts_max: place.settings.attempts_max, timeline };
    if (entry === undefined) return { ...NOWHERE, ...common, ...ending, result: ending?.result ?? null };
    return {
      ...{ ...NOWHERE, ...common, sequence: entry.sequence, state: shown(entry), due: entry.due ?? null },
      ...{ attempts: entry.attempts + (entry.state === "leased" ? 1 : 0), reason: entry.reason ?? null },
      ...{ consumer: entry.consumer ?? null, progress: entry.progress ?? null },
    };
  }

  #messages({ state = "ready", after, limit = 50, text, headers, key, ...header }: Header): Header {
    const queue = this.#queue(header);
    const wanted = Object.entries(isRecord(headers) ? headers : {});
    const states = state === "delayed" ? ["delayed", "retrying"] : state === "parked" ? ["ready"] : [state];
    const parked = queue.parked();
    const found = [...queue.entries.values()].filter(
      (entry) => states.includes(entry.state) && parked.has(entry) === (state === "parked"),
    );
    const matching = found.filter(
      ({ message, sequence }) =>
        (typeof after !== "number" || sequence > after) &&
        (typeof text !== "string" || textOf(message.body).includes(text)) &&
        (key === undefined || message.key === key) &&
        wanted.every(([name, value]) => isRecord(message.headers) && message.headers[name] === value),
    );
    const page = matching.slice(0, Number(limit));
    return {
      messages: page.map(({ message, sequence, reason }) => ({
        ...{ ...this.message(message.id, true), queue: queue.name, sequence },
        ...(reason === undefined ? {} : { reason }),
      })),
      next: matching.length > page.length ? page.at(-1)?.sequence : null,
    };
  }

  group(stream: TestStream, group: TestGroup): Header {
    return {
      ...this.stats(group),
      committed: stream.committed(group),
      lag: group.entries.size,
      trimmed_total: group.trimmed,
    };
  }

  stream(stream: TestStream): Header {
    const groups = [...stream.groups.values()].map((group) => this.group(stream, group));
    return stream.stats(groups, this.#store.now);
  }

  #queue({ queue }: Header): TestGroup {
    const found = this.#store.queues.get(String(queue));
    if (found === undefined) throw new QueueNotFound(`There is no queue named "${String(queue)}".`);
    return found;
  }
}

const shown = ({ state, attempts }: Entry): string => (state === "ready" && attempts > 0 ? "retrying" : SHOWN[state]);

const NOWHERE = {
  ...{ queue: null, sequence: 0, state: "unrouted", attempts: 0, attempts_max: 0, due: null, reason: null },
  ...{ consumer: null, progress: null, result: null },
};
