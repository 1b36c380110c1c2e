/** What is settled in one tick, on its way into one `settle` frame. */
import { platform } from "#platform";
import { InvalidRequest, type PostroadError } from "../errors.js";
import type { Header } from "../protocol/frame.js";
import { Ranges, toRanges } from "../protocol/ranges.js";
import { cut, isWritable } from "../protocol/text.js";
import { inlineMessage } from "../publish/inline.js";
import type { Delivery, Settlement } from "./delivery.js";
import type { BatchDone, Done, Follower, NackOptions } from "./message.js";

const REASON_MAX = 500;
export const RESULT_BYTES_MAX = 65_536;

export interface Answer {
  isLost(number: number): boolean;
  isSettled(number: number): boolean;
}

export class SettleBatch {
  /** What it settles or extends, in no order. */
  readonly deliveries: Delivery[] = [];
  /** Shared by all that wait for it. */
  readonly answered: Promise<Answer>;
  resolve: (answer: Answer) => void = () => {};
  reject: (error: PostroadError) => void = () => {};
  /** How many of `deliveries` end with it. */
  settled = 0;
  id = 0;
  isResent = false;
  /** Its deliveries are done as one: with all of them, or none. */
  isWhole = false;
  /** A length for the leases that it extends. */
  leaseMs: number | undefined;
  readonly #acks = new Ranges();
  readonly #releases = new Ranges();
  readonly #extends: number[] = [];
  readonly #nacks: Nack[] = [];
  readonly #done: Record<string, unknown>[] = [];
  #parts: Header | undefined;

  constructor() {
    this.answered = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.answered.catch(() => {});
  }

  get isEmpty(): boolean {
    return this.deliveries.length === 0;
  }

  add(delivery: Delivery, settlement: Settlement, done?: Record<string, unknown>): void {
    this.deliveries.push(delivery);
    this.settled++;
    if (settlement.kind === "ack") this.#acks.add(delivery.number);
    else if (settlement.kind === "release") this.#releases.add(delivery.number);
    else if (settlement.kind === "nack") this.#nack(encodeNack(delivery.number, settlement.options));
    else if (done !== undefined) this.#done.push(done);
  }

  addWhole(deliveries: readonly Delivery[], done: Record<string, unknown>): void {
    this.isWhole = true;
    this.deliveries.push(...deliveries);
    this.settled += deliveries.length;
    this.#done.push(done);
  }

  extend(deliveries: Iterable<Delivery>): void {
    for (const delivery of deliveries) {
      this.deliveries.push(delivery);
      this.#extends.push(delivery.number);
    }
  }

  /** Neighbours that fail alike are one entry. */
  #nack(nack: Nack): void {
    const before = this.#nacks.at(-1);
    if (
      before !== undefined &&
      nack.number === (before.last ?? before.number) + 1 &&
      nack.reason === before.reason &&
      nack.delay_ms === before.delay_ms &&
      nack.dead === before.dead
    )
      before.last = nack.number;
    else this.#nacks.push(nack);
  }

  /** The parts of the frame; the same each time, so that it can be sent again. */
  parts(): Header {
    if (this.#parts !== undefined) return this.#parts;
    const parts: Record<string, unknown> = {};
    if (!this.#acks.empty) parts["ack"] = this.#acks.take();
    if (!this.#releases.empty) parts["release"] = this.#releases.take();
    if (this.#extends.length > 0) parts["extend"] = toRanges(this.#extends);
    if (this.#extends.length > 0 && this.leaseMs !== undefined) parts["lease_ms"] = this.leaseMs;
    if (this.#nacks.length > 0) parts["nack"] = this.#nacks;
    if (this.#done.length > 0) parts["done"] = this.#done;
    this.#parts = parts;
    return parts;
  }
}

interface Nack {
  readonly number: number;
  last?: number;
  readonly delay_ms: number | undefined;
  readonly reason: string | undefined;
  readonly dead: true | undefined;
}

function encodeNack(number: number, { delayMs, reason, dead }: NackOptions): Nack {
  const delay = delayMs === undefined || !Number.isFinite(delayMs) ? undefined : Math.max(0, Math.round(delayMs));
  return {
    number,
    delay_ms: delay,
    reason: reason === undefined ? undefined : cut(reason, REASON_MAX),
    dead: dead === true ? true : undefined,
  };
}

/** @throws InvalidRequest or LimitExceeded if it could not be carried out, before anything is sent. */
export function encodeDone(number: number, { result, publish }: Done): Record<string, unknown> {
  return { number, ...(isStored(result) ? { result } : {}), ...encodeFollowers(publish) };
}

/** @throws as {@link encodeDone}. */
export function encodeBatchDone(
  deliveries: readonly Delivery[],
  { results, publish }: BatchDone,
): Record<string, unknown> {
  const rows = deliveries.map(({ number }, index) => ({ number, result: results[index] }));
  rows.sort((a, b) => a.number - b.number);
  const stored = rows.map(({ result }) => (isStored(result) ? result : null));
  return {
    numbers: toRanges(rows.map(({ number }) => number)),
    ...(stored.every((result) => result === null) ? {} : { results: stored }),
    ...encodeFollowers(publish),
  };
}

/** @throws InvalidRequest if it is too large, or cannot be written: the frame would be refused with all that is in it. */
function isStored(result: unknown): boolean {
  const text = result === undefined ? undefined : (JSON.stringify(result) as string | undefined);
  if (text !== undefined && platform.byteLength(text) > RESULT_BYTES_MAX)
    throw new InvalidRequest(`A result has at most ${RESULT_BYTES_MAX} bytes.`);
  if (text !== undefined && !isWritable(text)) throw new InvalidRequest("A result has half of a surrogate pair.");
  return text !== undefined;
}

const encodeFollowers = (publish: readonly Follower[]): Record<string, unknown> =>
  publish.length === 0 ? {} : { publish: publish.map(encodeFollower) };

function encodeFollower({ queue, stream, topic, body, ...options }: Follower): Record<string, unknown> {
  return { queue, stream, topic, messages: [inlineMessage(body, options)] };
}
