/** A queue, or all of them, followed by many with one watch. State and events are apart: who shows one is not disturbed by the other. */
import type { PostroadError } from "../errors.js";
import type { Link } from "../link.js";
import { fromWire } from "../protocol/case.js";
import { type Header, isRecord } from "../protocol/frame.js";
import type { DeliveryNotice, QueueEvent, QueueStats, StreamStats } from "../protocol/types.js";
import { type LiveStatus, type Readable, Shared, Store } from "./store.js";
import { Watch } from "./watch.js";

export interface QueueView {
  readonly status: LiveStatus;
  /** The one queue; undefined where all are watched. */
  readonly stats: QueueStats | undefined;
  /** All queues; empty where one is watched. */
  readonly queues: readonly QueueStats[];
  /** All streams; empty where one queue is watched. */
  readonly streams: readonly StreamStats[];
  /** Who got what since the state before. */
  readonly deliveries: readonly DeliveryNotice[];
  readonly error: PostroadError | undefined;
}

export interface EventsView {
  readonly status: LiveStatus;
  /** Oldest first. */
  readonly events: readonly QueueEvent[];
  /** How many the server left out because this client was too slow. */
  readonly skipped: number;
  /** The earliest position there still was, if events in between had left the history. */
  readonly trimmed: number | undefined;
  readonly error: PostroadError | undefined;
}

export interface Tap {
  readonly last: number;
  readonly onEvents: (
    events: readonly QueueEvent[],
    gap: { readonly skipped: number; readonly trimmed: number | undefined },
  ) => void;
}

export const EVENTS_MAX = 1_000;
/** Events are shown at most this often. */
const NOTIFY_MS = 50;

export class LiveQueue {
  readonly #state = new Store<QueueView>({
    status: "loading",
    stats: undefined,
    queues: [],
    streams: [],
    deliveries: [],
    error: undefined,
  });
  readonly #events = new Store<EventsView>({
    status: "loading",
    events: [],
    skipped: 0,
    trimmed: undefined,
    error: undefined,
  });
  readonly #queues = new Map<string, QueueStats>();
  readonly #streams = new Map<string, StreamStats>();
  readonly #taps = new Map<Tap, number>();
  readonly #shared: Shared;
  readonly #watch: Watch;
  readonly #name: string | null;
  /** How many past events the server was asked for. */
  #last: number;
  readonly #from: number | undefined;
  #position: number | undefined;
  #buffer: QueueEvent[] = [];
  #refill = false;
  #notifiedAt = 0;
  #notifyTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(link: Link, name: string | null, onStop: () => void, from?: number) {
    this.#name = name;
    this.#last = 0;
    this.#from = from;
    this.#watch = new Watch(link, {
      request: (known) => this.#request(known),
      accepted: (header) => this.#accepted(header),
      received: (header) => this.#received(header),
      stale: () => this.#status(this.#position === undefined ? "loading" : "stale", undefined),
      failed: (error) => this.#status("error", error),
    });
    this.#shared = new Shared(
      () => this.#watch.start(),
      () => {
        clearTimeout(this.#notifyTimer);
        this.#watch.stop();
        onStop();
      },
    );
  }

  readonly state: Readable<QueueView> = {
    get: () => this.#state.get(),
    subscribe: (listener) => this.#join(this.#state.listen(listener)),
  };

  /** The last events, up to what was asked for. */
  events(last: number): Readable<EventsView> {
    return {
      get: () => this.#events.get(),
      subscribe: (listener) => {
        this.#want(last);
        return this.#join(this.#events.listen(listener));
      },
    };
  }

  /** Calls with every event once, beginning with the last `tap.last`. */
  tap(tap: Tap): () => void {
    const held =
      this.#position !== undefined && tap.last > 0 && tap.last <= this.#last ? this.#buffer.slice(-tap.last) : [];
    this.#taps.set(tap, tap.last > 0 ? -1 : (this.#position ?? -1));
    this.#want(tap.last);
    const leave = this.#join(() => this.#taps.delete(tap));
    if (held.length > 0)
      queueMicrotask(() => this.#taps.has(tap) && this.#give(tap, held, { skipped: 0, trimmed: undefined }));
    return leave;
  }

  #join(end: () => void): () => void {
    const release = this.#shared.retain();
    return () => {
      end();
      release();
    };
  }

  /** More of the past than was asked for before: ask again and begin anew, each tap remembers what it has seen. */
  #want(last: number): void {
    const wanted = Math.min(EVENTS_MAX, last);
    if (wanted <= this.#last) return;
    this.#last = wanted;
    this.#refill = true;
    this.#watch.restart();
  }

  #request(known: boolean): Header {
    if (!known) this.#position = undefined;
    const target = this.#name === null ? {} : { queue: this.#name };
    if (this.#position !== undefined && !this.#refill) return { ...target, from: this.#position };
    this.#refill = false;
    this.#buffer = [];
    if (!known) for (const tap of this.#taps.keys()) this.#taps.set(tap, -1);
    if (this.#from !== undefined && this.#position === undefined) return { ...target, from: this.#from };
    return this.#last > 0 ? { ...target, last: this.#last } : target;
  }

  #accepted(header: Header): void {
    if (typeof header["position"] === "number" && this.#last === 0 && this.#from === undefined)
      this.#position ??= header["position"];
    this.#events.set({ status: "live", error: undefined });
    this.#queues.clear();
    this.#streams.clear();
    this.#takeState(header);
  }

  #received(header: Header): void {
    if (header["op"] === "event") this.#takeEvents(header);
    else if (header["op"] === "state") this.#takeState(header);
  }

  #takeState(header: Header): void {
    const { queue, queues, streams, deliveries } = header;
    this.#state.set({
      status: "live",
      error: undefined,
      ...(isRecord(queue) ? { stats: fromWire<QueueStats>(queue) } : {}),
      ...(Array.isArray(queues) ? { queues: merged(this.#queues, fromWire<QueueStats[]>(queues)) } : {}),
      ...(Array.isArray(streams) ? { streams: merged(this.#streams, fromWire<StreamStats[]>(streams)) } : {}),
      deliveries: Array.isArray(deliveries) ? fromWire<DeliveryNotice[]>(deliveries) : [],
    });
  }

  #forget(names: readonly string[]): void {
    const queues = names.filter((name) => this.#queues.delete(name));
    const streams = names.filter((name) => this.#streams.delete(name));
    if (queues.length > 0) this.#state.set({ queues: merged(this.#queues, []) });
    if (streams.length > 0) this.#state.set({ streams: merged(this.#streams, []) });
  }

  #takeEvents(header: Header): void {
    const events = Array.isArray(header["events"]) ? fromWire<QueueEvent[]>(header["events"]) : [];
    this.#forget(events.flatMap((event) => (event.kind === "deleted" && event.queue ? [event.queue] : [])));
    const skipped = typeof header["skipped"] === "number" ? header["skipped"] : 0;
    const trimmed = typeof header["trimmed"] === "number" ? header["trimmed"] : undefined;
    const position = events.at(-1)?.position;
    if (position !== undefined) this.#position = position;
    this.#buffer.push(...events);
    if (this.#buffer.length > EVENTS_MAX) this.#buffer = this.#buffer.slice(-EVENTS_MAX);
    for (const tap of [...this.#taps.keys()]) this.#give(tap, events, { skipped, trimmed });
    const before = this.#events.get();
    if (skipped > 0 || trimmed !== undefined)
      this.#events.set({ skipped: before.skipped + skipped, trimmed: trimmed ?? before.trimmed });
    this.#notifySoon();
  }

  #give(tap: Tap, events: readonly QueueEvent[], gap: { skipped: number; trimmed: number | undefined }): void {
    const seen = this.#taps.get(tap) ?? -1;
    const fresh = events.filter((event) => event.position > seen);
    const position = fresh.at(-1)?.position;
    if (position !== undefined) this.#taps.set(tap, position);
    if (fresh.length > 0 || gap.skipped > 0 || gap.trimmed !== undefined) tap.onEvents(fresh, gap);
  }

  #notifySoon(): void {
    if (this.#notifyTimer !== undefined) return;
    const wait = Math.max(0, this.#notifiedAt + NOTIFY_MS - Date.now());
    this.#notifyTimer = setTimeout(() => {
      this.#notifyTimer = undefined;
      this.#notifiedAt = Date.now();
      this.#events.set({ events: Object.freeze([...this.#buffer]) });
    }, wait);
  }

  #status(status: LiveStatus, error: PostroadError | undefined): void {
    this.#state.set({ status, error });
    this.#events.set({ status, error });
  }
}

/** All by name, as the state of all has only those that changed since the one before. */
function merged<S extends { readonly name: string }>(known: Map<string, S>, changed: readonly S[]): readonly S[] {
  for (const stats of changed) known.set(stats.name, stats);
  return [...known.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
