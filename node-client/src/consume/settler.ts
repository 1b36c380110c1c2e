/**
 * What a subscription tells the broker of its deliveries: gathered over a tick, sent in one frame, kept until answered,
 * and sent again after a reconnect (docs/protocol.md §5).
 */

import { platform } from "#platform";
import { AlreadySettled, asPostroadError, LeaseLost, type PostroadError } from "../errors.js";
import type { Link } from "../link.js";
import type { Header } from "../protocol/frame.js";
import { parseRanges, within } from "../protocol/ranges.js";
import { cut } from "../protocol/text.js";
import { Begun } from "./begun.js";
import { type Delivery, leaseLost, type Settlement } from "./delivery.js";
import type { BatchDone, LogLevel } from "./message.js";
import { Said } from "./said.js";
import { type Answer, encodeBatchDone, encodeDone, SettleBatch } from "./settlement.js";

export interface SettlerEvents {
  /** So many were settled in a tick. */
  settled(count: number): void;
  lost(delivery: Delivery, error: PostroadError): void;
  failed(error: PostroadError, delivery: Delivery): void;
}

const RETRY_MS = 1_000;
const ACK: Settlement = { kind: "ack" };

export class Settler {
  readonly #link: Link;
  readonly #sub: number;
  readonly #events: SettlerEvents;
  readonly #begun = new Begun();
  readonly #unanswered = new Set<SettleBatch>();
  readonly #progress = new Map<number, { number: number; percent?: number; note?: string }>();
  readonly #said = new Said(() => this.flush(this.#begun.claimed));
  readonly #idle: (() => void)[] = [];
  #open = new SettleBatch();
  #isScheduled = false;
  #isActive = false;
  readonly #forgetExit: () => void;

  constructor(link: Link, sub: number, events: SettlerEvents) {
    this.#link = link;
    this.#sub = sub;
    this.#events = events;
    this.#forgetExit = platform.atExit(() => this.flush());
  }

  /** The highest number whose handler has begun. */
  get begun(): number {
    return this.#begun.last;
  }

  /** A handler is about to run: its number is written before it does. */
  begin({ number }: Delivery, isAlone: boolean): void {
    // The first that a consumer holds counts in any case: nothing need be told before it.
    const covered = this.#begun.begin(number, isAlone && this.#open.isEmpty);
    if (covered !== undefined && this.#isActive) this.#tellBegun(number, covered);
    this.#schedule();
  }

  /** Alone, with what has come of those before it, which so cannot count with it. With others, the acks of the tick stay in one frame. */
  #tellBegun(number: number, covered: number): void {
    if (number === covered) this.flush(covered);
    else this.#link.send({ op: "settle", sub: this.#sub, ...this.#news(covered) });
  }

  expectRetry(number: number): void {
    this.#begun.expectRetry(number);
  }

  settle(delivery: Delivery, settlement: Settlement): Promise<void> {
    let batch = this.#open;
    if (settlement.kind === "done") {
      let done: Record<string, unknown>;
      try {
        done = encodeDone(delivery.number, settlement.done);
      } catch (thrown) {
        delivery.unsettle();
        return quietly(Promise.reject(asPostroadError(thrown)));
      }
      if (settlement.done.publish.length > 0) {
        // Alone in its frame: a refused publish must not refuse what others settled in this tick.
        batch = new SettleBatch();
        batch.add(delivery, settlement, done);
        this.#unanswered.add(batch);
        this.flush(this.#begun.claimed);
        this.#send(batch);
      } else batch.add(delivery, settlement, done);
    } else batch.add(delivery, settlement);
    this.#schedule();
    return quietly(batch.answered.then((answer) => check(answer, delivery, batch)));
  }

  /** All of them with what follows, or nothing: then those that are still held can be settled in another way. */
  settleWhole(deliveries: readonly Delivery[], done: BatchDone): Promise<void> {
    const batch = new SettleBatch();
    try {
      batch.addWhole(deliveries, encodeBatchDone(deliveries, done));
    } catch (thrown) {
      return quietly(Promise.reject(asPostroadError(thrown)));
    }
    for (const delivery of deliveries) delivery.join();
    this.#unanswered.add(batch);
    this.flush(this.#begun.claimed);
    this.#send(batch);
    this.#events.settled(batch.settled);
    return quietly(
      batch.answered.then((answer) => {
        const kept = deliveries.filter(({ number }) => !answer.isLost(number) && !answer.isSettled(number));
        if (kept.length === deliveries.length) return;
        // After a reconnect "settled before" means that the first time had worked.
        if (batch.isResent && deliveries.every(({ number }) => answer.isSettled(number))) return;
        for (const delivery of kept) delivery.unsettle();
        throw new LeaseLost("The lease of a message of the batch had ended: nothing of it was done.");
      }),
    );
  }

  ack(delivery: Delivery): void {
    this.#open.add(delivery, ACK);
    this.#schedule();
  }

  extend(delivery: Delivery, leaseMs: number | undefined): Promise<void> {
    const batch = leaseMs === undefined ? this.#open : new SettleBatch();
    batch.leaseMs = leaseMs;
    batch.extend([delivery]);
    if (batch !== this.#open) {
      this.#unanswered.add(batch);
      this.#send(batch);
    } else this.#schedule();
    return quietly(batch.answered.then((answer) => check(answer, delivery, batch)));
  }

  progress({ number }: Delivery, percent: number, note: string | undefined): void {
    const bounded = Math.min(100, Math.max(0, Math.round(percent)));
    this.#progress.set(number, {
      number,
      ...(Number.isFinite(bounded) ? { percent: bounded } : {}),
      ...(note === undefined ? {} : { note: cut(note, 200) }),
    });
    this.#schedule();
  }

  log({ number }: Delivery, text: string, level: LogLevel): void {
    this.#said.add({ number, text, level });
  }

  /** Renews leases. */
  renew(deliveries: Iterable<Delivery>): void {
    this.#open.extend(deliveries);
    this.flush();
  }

  /** Deliveries whose settlement the broker has not confirmed. */
  unanswered(): Delivery[] {
    return [...this.#unanswered, this.#open].flatMap((batch) => batch.deliveries);
  }

  /** The subscription is there: sends what was not answered before, and what has gathered. */
  activate(): void {
    this.#isActive = true;
    this.#begun.tell(this.begun);
    for (const batch of this.#unanswered) {
      batch.isResent = batch.id !== 0;
      this.#send(batch);
    }
    this.flush();
  }

  deactivate(): void {
    this.#isActive = false;
  }

  /** Resolved when everything is answered. */
  async finish(): Promise<void> {
    this.flush();
    if (this.#unanswered.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Nothing that waits will be answered. */
  reject(error: PostroadError): void {
    const batches = [...this.#unanswered, this.#open];
    this.#unanswered.clear();
    this.#progress.clear();
    this.#said.clear();
    this.#open = new SettleBatch();
    this.#begun.clear();
    for (const batch of batches) batch.reject(error);
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    platform.endOfTick(() => {
      this.#isScheduled = false;
      this.flush();
    });
  }

  /**
   * Sends what was gathered, or keeps it until the subscription is active again.
   *
   * @param begun - the number to tell, which may cover what begins later in this tick.
   */
  flush(begun: number = this.begun): void {
    const batch = this.#open;
    if (!batch.isEmpty) {
      this.#open = new SettleBatch();
      this.#unanswered.add(batch);
      this.#send(batch, begun);
      this.#events.settled(batch.settled);
    } else if (this.#isActive && (this.#begun.isNews(begun) || this.#progress.size > 0 || this.#said.isDue)) {
      this.#link.send({ op: "settle", sub: this.#sub, ...this.#news(begun) });
    }
  }

  /** Nothing more is begun or settled. */
  end(): void {
    this.#forgetExit();
  }

  /** What goes along with any settle: what has begun, progress, and log lines. */
  #news(begun: number): Record<string, unknown> {
    const news: Record<string, unknown> = {};
    if (this.#begun.tell(begun)) news["begun"] = begun;
    if (this.#progress.size > 0) {
      news["progress"] = [...this.#progress.values()];
      this.#progress.clear();
    }
    if (!this.#said.isEmpty) news["log"] = this.#said.take();
    return news;
  }

  #send(batch: SettleBatch, begun: number = this.#begun.claimed): void {
    if (!this.#isActive) return;
    batch.id = this.#link.requests.nextId();
    this.#link.requests.expect(batch.id, {
      ok: (header) => this.#answered(batch, header),
      failed: (error) => this.#settleFailed(batch, error),
    });
    this.#link.send({ op: "settle", id: batch.id, sub: this.#sub, ...batch.parts(), ...this.#news(begun) });
  }

  #answered(batch: SettleBatch, header: Header): void {
    const lost = parseRanges(header["lost"]);
    const settled = parseRanges(header["settled"]);
    this.#done(batch);
    batch.resolve({ isLost: (number) => within(lost, number), isSettled: (number) => within(settled, number) });
    if (lost.length === 0) return;
    const error = leaseLost();
    for (const delivery of batch.deliveries) {
      if (within(lost, delivery.number)) this.#events.lost(delivery, error);
    }
  }

  #settleFailed(batch: SettleBatch, error: PostroadError): void {
    if (!this.#unanswered.has(batch)) return;
    if (error.retryable && error.code !== "queue-full") {
      setTimeout(() => this.#unanswered.has(batch) && this.#send(batch), RETRY_MS);
      return;
    }
    this.#done(batch);
    batch.reject(error);
    for (const delivery of batch.deliveries) this.#events.failed(error, delivery);
    // Nothing of it happened: what could not be done since its publishes were refused is tried again.
    if (batch.isWhole || (batch.parts()["done"] !== undefined && batch.deliveries.length === 1)) {
      for (const delivery of batch.deliveries) {
        delivery.unsettle();
        void delivery.nack({ reason: error.message });
      }
    }
  }

  #done(batch: SettleBatch): void {
    this.#unanswered.delete(batch);
    if (this.#unanswered.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }
}

function check(answer: Answer, { number }: Delivery, batch: SettleBatch): void {
  if (answer.isLost(number)) throw new LeaseLost("The lease had ended.");
  // After a reconnect "settled before" means that the first time had worked.
  if (answer.isSettled(number) && !batch.isResent) throw new AlreadySettled("This delivery was settled before.");
}

/** The caller may look or not. */
function quietly(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}
