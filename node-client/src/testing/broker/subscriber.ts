/** One `consume` subscription: what it holds, and how it is settled. */
import { InvalidRequest } from "../../errors.js";
import { type Header, isRecord } from "../../protocol/frame.js";
import { parseRanges, type Range, toRanges } from "../../protocol/ranges.js";
import { deliverFrame, type ReceivedFrame } from "../wire.js";
import type { TestGroup } from "./group.js";
import type { Entry } from "./message.js";
import type { TestStore } from "./store.js";

const LOGS_MAX = 200;

/** A client's connection, as the broker sees it. */
export interface TestConnection {
  readonly number: number;
  session: string;
  send(frame: Header | Uint8Array<ArrayBuffer>): void;
}

export class TestSubscriber {
  readonly id: string;
  readonly group: TestGroup;
  readonly consumer: string;
  readonly leased = new Map<number, Entry>();
  connection: TestConnection | undefined;
  sub: number;
  prefetch: number;
  begun = 0;
  /** Its client tells what has begun before the handler runs. */
  readonly #reportsBegun: boolean;
  isCancelled = false;
  /** When leases end, after its connection was lost. */
  endsAt: number | undefined;
  #last = 0;

  constructor(id: string, group: TestGroup, connection: TestConnection, header: Header) {
    const { sub, prefetch, consumer } = header;
    this.id = id;
    this.group = group;
    this.connection = connection;
    this.sub = Number(sub);
    this.prefetch = typeof prefetch === "number" ? prefetch : 20;
    this.#reportsBegun = header["reports_begun"] === true;
    this.consumer = typeof consumer === "string" ? consumer : `test-${connection.number}`;
  }

  /** Sends what there is room for. */
  pump(now: number): void {
    if (this.connection === undefined || this.isCancelled) return;
    const entries = this.group.take(this.prefetch - this.leased.size);
    if (entries.length === 0) return;
    const first = this.#last + 1;
    this.#last += entries.length;
    for (const [index, entry] of entries.entries()) {
      this.leased.set(first + index, entry);
      entry.consumer = this.consumer;
      entry.message.timeline.push({
        ...{ at: now, kind: "delivered", attempt: entry.attempts + 1, consumer: this.consumer },
      });
    }
    const messages = entries.map(({ message, sequence, attempts }) => ({
      ...{ ...message, sequence, attempt: attempts + 1 },
    }));
    this.connection.send(deliverFrame(this.sub, first, messages));
  }

  /** Comes back after a reconnect; what it names and nobody else got stays its own. */
  resume(connection: TestConnection, header: Header): Range[] {
    const held = new Set<number>();
    for (const [number = 0, count = 0] of (header["held"] ?? []) as number[][])
      for (let n = number; n < number + count; n++) held.add(n);
    const lost = [...held].filter((number) => !this.leased.has(number));
    this.connection = connection;
    this.sub = Number(header["sub"]);
    this.endsAt = undefined;
    for (const [number, entry] of [...this.leased])
      if (!held.has(number)) {
        this.leased.delete(number);
        this.group.release(entry);
      }
    return toRanges(lost);
  }

  /**
   * The highest number that counts an attempt when leases end now: what had begun; if none of that is held, the first that is, which
   * would have begun next. Of a client that never says what has begun, all.
   */
  get tried(): number {
    if (!this.#reportsBegun && this.begun === 0) return Number.POSITIVE_INFINITY;
    const [first = 0] = this.leased.keys();
    return Math.max(this.begun, first);
  }

  /** Leases end: what had begun counts an attempt. */
  endLeases(store: TestStore, reason: string): void {
    const { tried } = this;
    for (const [number, entry] of [...this.leased]) {
      this.leased.delete(number);
      if (number <= tried) store.fail(this.group, entry, { reason });
      else this.group.release(entry);
    }
  }

  /** Takes a message away from its handler. */
  revoke(entry: Entry, reason: string): void {
    for (const [number, held] of this.leased)
      if (held === entry) {
        this.leased.delete(number);
        this.connection?.send({ op: "revoked", sub: this.sub, numbers: [[number, number]], reason });
      }
  }

  settle(store: TestStore, { header }: ReceivedFrame): Header {
    const lost: number[] = [];
    if (typeof header["begun"] === "number")
      this.begun = this.#reportsBegun ? header["begun"] : Math.max(this.begun, header["begun"]);
    for (const line of list(header["log"])) this.#log(store, line);
    const take = (number: unknown): Entry | undefined => {
      const entry = this.leased.get(Number(number));
      if (entry === undefined) lost.push(Number(number));
      else this.leased.delete(Number(number));
      return entry;
    };
    const finish = (number: unknown, result?: unknown): void => {
      const entry = take(number);
      if (entry === undefined) return;
      this.group.end(entry, { state: "done", result });
      entry.message.timeline.push({ at: store.now, kind: "acked", consumer: this.consumer });
    };
    // A publish that is refused throws, and nothing of the frame is carried out.
    for (const done of list(header["done"]))
      if (membersOf(done).every((number) => this.leased.has(number)))
        for (const publish of list(done["publish"])) store.publish({ op: "publish", header: publish, bodies: [] });
    for (const number of numbers(header["ack"])) finish(number);
    for (const done of list(header["done"])) {
      const members = membersOf(done);
      const missing = members.filter((number) => !this.leased.has(number));
      const results = Array.isArray(done["results"]) ? (done["results"] as readonly unknown[]) : [done["result"]];
      if (missing.length > 0) lost.push(...missing);
      else for (const [index, number] of members.entries()) finish(number, results[index] ?? undefined);
    }
    for (const nack of list(header["nack"]))
      for (let n = Number(nack["number"]); n <= Number(nack["last"] ?? nack["number"]); n++) {
        const entry = take(n);
        if (entry !== undefined) store.fail(this.group, entry, nack);
      }
    for (const number of numbers(header["release"])) {
      const entry = take(number);
      if (entry !== undefined) this.group.release(entry);
    }
    for (const number of numbers(header["extend"])) if (!this.leased.has(number)) lost.push(number);
    for (const { number, percent, note } of list(header["progress"])) {
      const entry = this.leased.get(Number(number));
      if (entry === undefined) continue;
      entry.progress = { percent, note, at: store.now };
      entry.message.timeline.push({ at: store.now, kind: "progress", percent, note });
    }
    return lost.length > 0 ? { lost: toRanges(lost) } : {};
  }

  #log(store: TestStore, { number, text, level = "info" }: Header): void {
    const entry = this.leased.get(Number(number));
    if (entry === undefined) return;
    const { logs } = entry.message;
    const where = { attempt: entry.attempts + 1, consumer: this.consumer, queue: this.group.name };
    logs.push({ n: Number(logs.at(-1)?.["n"] ?? 0) + 1, at: store.now, level, text, ...where });
    if (logs.length > LOGS_MAX) logs.shift();
  }
}

function list(value: unknown): Header[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new InvalidRequest("A part of a settle is not an array.");
  return value.filter(isRecord);
}

/** What is done together: one, or several that are all done or none of them. */
const membersOf = (done: Header): number[] =>
  done["numbers"] === undefined ? [Number(done["number"])] : numbers(done["numbers"]);

const numbers = (ranges: unknown): number[] =>
  parseRanges(ranges).flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, index) => first + index));
