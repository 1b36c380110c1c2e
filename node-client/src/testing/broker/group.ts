/** What a queue, or a group of a stream, still has to do: its entries, in the order in which they are delivered. */
import type { Header } from "../../protocol/frame.js";
import type { Ending, Entry, TestMessage } from "./message.js";

export interface GroupSettings {
  lease_ms: number;
  attempts_max: number;
  backoff_ms: number;
  backoff_max_ms: number;
  dead_letter: string | null;
  expire_ms: number | null;
  concurrency_max: number | null;
  rate_max: null;
  length_max: number | null;
  bytes_max: null;
  overflow: "reject";
}

export class TestGroup {
  /** A queue's name, or `<stream>/<group>`. */
  readonly name: string;
  readonly settings: GroupSettings;
  readonly entries = new Map<number, Entry>();
  readonly endings = new Map<string, Ending>();
  /** Which sequence holds an ordering key, from its first delivery until it is settled. */
  readonly #keys = new Map<unknown, number>();
  isPaused = false;
  nextSequence = 0;
  published = 0;
  acked = 0;
  dead = 0;
  retried = 0;
  trimmed = 0;

  constructor(name: string, settings: GroupSettings) {
    this.name = name;
    this.settings = settings;
  }

  add(message: TestMessage, sequence: number, due?: number, origin?: Entry["origin"], reason?: string): void {
    this.published++;
    this.nextSequence = Math.max(this.nextSequence, sequence + 1);
    this.entries.set(sequence, {
      message,
      sequence,
      state: due === undefined ? "ready" : "delayed",
      attempts: 0,
      due,
      reason,
      consumer: undefined,
      progress: undefined,
      origin,
    });
  }

  /** The next entries to deliver: higher priority first, then in order, one in flight for each ordering key. */
  take(count: number): Entry[] {
    if (this.isPaused) return [];
    const room = (this.settings.concurrency_max ?? Number.POSITIVE_INFINITY) - this.count("leased");
    const taken: Entry[] = [];
    for (const entry of this.#inOrder()) {
      if (taken.length >= Math.min(count, room)) break;
      const { key } = entry.message;
      const holder = this.#keys.get(key);
      if (typeof key === "string" && holder !== undefined && holder !== entry.sequence) continue;
      if (typeof key === "string") this.#keys.set(key, entry.sequence);
      entry.state = "leased";
      taken.push(entry);
    }
    return taken;
  }

  /** Gives back without a counted attempt. */
  release(entry: Entry): void {
    entry.state = "ready";
    entry.due = undefined;
    entry.consumer = undefined;
  }

  /** It leaves the group. */
  end(entry: Entry, ending: Omit<Ending, "attempts" | "reason"> & { readonly reason?: string | undefined }): void {
    this.entries.delete(entry.sequence);
    if (this.#keys.get(entry.message.key) === entry.sequence) this.#keys.delete(entry.message.key);
    this.endings.set(entry.message.id, {
      state: ending.state,
      attempts: entry.attempts + (ending.state === "done" ? 1 : 0),
      reason: ending.reason ?? entry.reason,
      result: ending.result,
    });
    if (ending.state === "done") this.acked++;
    if (ending.state === "dead") this.dead++;
  }

  /** What was dead was given up for good. */
  amend(id: string, state: Ending["state"]): void {
    const ending = this.endings.get(id);
    if (ending !== undefined) this.endings.set(id, { ...ending, state });
  }

  count(...states: Entry["state"][]): number {
    let count = 0;
    for (const { state } of this.entries.values()) if (states.includes(state)) count++;
    return count;
  }

  /** Whether something could be delivered now. */
  get hasReady(): boolean {
    return !this.isPaused && this.count("ready") > 0;
  }

  stats(consumers: number, now: number): Header {
    const first = [...this.entries.values()][0];
    const parked = this.parked().size;
    return {
      name: this.name,
      ready: this.count("ready") - parked,
      parked,
      delayed: this.count("delayed"),
      retrying: this.count("retrying"),
      leased: this.count("leased"),
      consumers,
      paused: this.isPaused,
      published_total: this.published,
      acked_total: this.acked,
      dead_total: this.dead,
      retried_total: this.retried,
      rate_published: 0,
      rate_acked: 0,
      oldest_ms: first === undefined ? null : now - first.message.publishedAt,
      bytes: [...this.entries.values()].reduce((sum, { message }) => sum + message.body.length, 0),
    };
  }

  /** What waits for an earlier message of its key. */
  parked(): ReadonlySet<Entry> {
    const entries = [...this.entries.values()];
    const held = new Set(entries.filter(({ state }) => state !== "ready").map(({ message }) => message.key));
    return new Set(
      entries.filter(({ state, message: { key } }) => state === "ready" && key !== undefined && held.has(key)),
    );
  }

  #inOrder(): Entry[] {
    const priority = ({ message }: Entry): number => (typeof message.priority === "number" ? message.priority : 0);
    return [...this.entries.values()]
      .filter(({ state }) => state === "ready")
      .sort((a, b) => priority(b) - priority(a) || a.sequence - b.sequence);
  }
}
