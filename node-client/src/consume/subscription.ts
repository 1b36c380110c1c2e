/**
 * One `consume` subscription: what it holds, what it has settled and not heard of, and how it comes back after a
 * reconnect (docs/protocol.md §5, §5.1). Who handles the messages is the sink's business.
 */

import { platform } from "#platform";
import {
  AlreadySettled,
  asPostroadError,
  errorFrom,
  InvalidState,
  LeaseLost,
  OutcomeUnknown,
  type PostroadError,
} from "../errors.js";
import type { Link, Participant } from "../link.js";
import type { Frame, Header } from "../protocol/frame.js";
import { parseRanges, within } from "../protocol/ranges.js";
import type { Opening } from "../session/session.js";
import { Delivery, type Holder, leaseLost, type Settlement } from "./delivery.js";
import { heldRuns } from "./held.js";
import { Holdings } from "./holdings.js";
import { parseDeliver } from "./parse.js";
import { Prefetch } from "./prefetch.js";
import { type Answer, encodeDone, SettleBatch } from "./settlement.js";

export interface SubscribeOptions {
  readonly queue: string;
  readonly concurrency: number;
  readonly prefetch: number | undefined;
  readonly leaseMs: number | undefined;
  readonly name: string | undefined;
  readonly declare: boolean;
}

export interface Sink {
  deliver(deliveries: readonly Delivery[]): void;
  lost(delivery: Delivery, error: PostroadError): void;
  failed(error: PostroadError, delivery: Delivery | undefined): void;
  /** Nothing more will come. */
  ended(error: PostroadError | undefined): void;
}

const RETRY_MS = 1_000;
const ACK: Settlement = { kind: "ack" };
const UNASKED = leaseLost("never begun, the consumer is closing");

export class Subscription implements Holder, Participant {
  readonly #link: Link;
  readonly #options: SubscribeOptions;
  readonly #sink: Sink;
  readonly #sub: number;
  readonly #prefetch: Prefetch;
  readonly #holdings = new Holdings();
  readonly #unanswered = new Set<SettleBatch>();
  readonly #progress = new Map<number, { number: number; percent?: number; note?: string }>();
  readonly #idle: (() => void)[] = [];
  #open = new SettleBatch();
  #scheduled = false;
  #subscriptionId: string | undefined;
  #isActive = false;
  #isCancelled = false;
  #isEnded = false;
  #begun = 0;
  #begunTold = 0;
  #renewTimer: ReturnType<typeof setInterval> | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #ready: { promise: Promise<void>; resolve(): void; reject(error: PostroadError): void };

  constructor(link: Link, options: SubscribeOptions, sink: Sink) {
    this.#link = link;
    this.#options = options;
    this.#sink = sink;
    this.#prefetch = new Prefetch(options.concurrency, options.prefetch, Date.now());
    let resolve = (): void => {};
    let reject: (error: PostroadError) => void = () => {};
    const promise = new Promise<void>((onOk, onError) => {
      resolve = onOk;
      reject = onError;
    });
    promise.catch(() => {});
    this.#ready = { promise, resolve, reject };
    this.#sub = link.route((frame) => this.#received(frame));
    link.join(this);
    if (link.status === "open") this.#consume();
    else if (link.status === "closed")
      queueMicrotask(() => this.ended(link.lastError ?? new InvalidState("The client is closed.")));
  }

  /** Resolved when the broker has accepted it, rejected if it refused. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get queue(): string {
    return this.#options.queue;
  }

  get prefetch(): number {
    return this.#prefetch.value;
  }

  /** Its handler has begun. Deliveries begin in the order of their numbers, so the highest number says it all. */
  begin(delivery: Delivery): void {
    if (delivery.number > this.#begun) this.#begun = delivery.number;
    this.#schedule();
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
        this.#flush();
        this.#send(batch);
      } else batch.add(delivery, settlement, done);
    } else batch.add(delivery, settlement);
    this.#schedule();
    return quietly(batch.answered.then((answer) => check(answer, delivery, batch)));
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
    const bounded = Math.min(100, Math.max(0, percent));
    this.#progress.set(number, {
      number,
      ...(Number.isFinite(bounded) ? { percent: bounded } : {}),
      ...(note === undefined ? {} : { note: note.slice(0, 200) }),
    });
    this.#schedule();
  }

  /** Ends the supply. What has begun can still be settled; what has not goes back. */
  cancel(): void {
    if (this.#isCancelled || this.#isEnded) return;
    this.#flush();
    this.#isCancelled = true;
    for (const delivery of this.#holdings.held()) if (delivery.number > this.#begun) delivery.lose(UNASKED);
    if (this.#isActive) this.#sendCancel();
  }

  /** Lets leases run out from now on. */
  stopRenewing(): void {
    clearInterval(this.#renewTimer);
    this.#renewTimer = undefined;
  }

  /** Waits until the broker has answered everything that was settled, then forgets the subscription. */
  async finish(): Promise<void> {
    this.#flush();
    if (this.#unanswered.size > 0 && !this.#isEnded) await new Promise<void>((resolve) => this.#idle.push(resolve));
    this.#end();
  }

  /** Gives up on answers that did not come. */
  abandon(): void {
    this.ended(new InvalidState("The consumer is closed."));
  }

  opened({ known }: Opening): void {
    if (this.#isEnded) return;
    if (!known && this.#subscriptionId !== undefined) this.#forget();
    this.#consume();
  }

  lost(): void {
    this.#isActive = false;
    clearTimeout(this.#retryTimer);
    this.stopRenewing();
  }

  ended(error: PostroadError): void {
    if (this.#isEnded) return;
    const unknown = new OutcomeUnknown("The subscription ended before the answer.", { cause: error });
    const batches = [...this.#unanswered, this.#open];
    this.#end();
    for (const batch of batches) batch.reject(unknown);
    for (const delivery of this.#holdings.clear()) delivery.lose(leaseLost());
    this.#ready.reject(error);
    this.#sink.ended(error);
  }

  #end(): void {
    this.#isEnded = true;
    this.#isActive = false;
    this.stopRenewing();
    clearTimeout(this.#retryTimer);
    this.#link.leave(this);
    this.#link.unroute(this.#sub);
    this.#unanswered.clear();
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Another data set: nothing of what was held exists there. */
  #forget(): void {
    const held = this.#holdings.clear();
    this.#subscriptionId = undefined;
    this.#begun = this.#begunTold = 0;
    const batches = [...this.#unanswered, this.#open];
    this.#unanswered.clear();
    this.#open = new SettleBatch();
    for (const batch of batches) batch.reject(new OutcomeUnknown("The broker now serves another data set."));
    for (const delivery of held) this.#lose(delivery, leaseLost());
  }

  #consume(): void {
    const { queue, leaseMs, name, declare } = this.#options;
    const resume = this.#subscriptionId;
    const unanswered = [...this.#unanswered, this.#open].flatMap((batch) => batch.deliveries);
    const id = this.#link.requests.nextId();
    this.#link.requests.expect(id, {
      ok: (header) => this.#accepted(header),
      failed: (error) => this.#refused(error),
    });
    this.#link.send({
      op: "consume",
      id,
      sub: this.#sub,
      queue,
      prefetch: this.#isCancelled ? 1 : Math.min(this.#prefetch.value, this.#link.limits.prefetchMax),
      ...(name === undefined ? {} : { consumer: name }),
      ...(leaseMs === undefined ? {} : { lease_ms: leaseMs }),
      ...(declare ? {} : { declare: false }),
      ...(resume === undefined
        ? {}
        : { resume, begun: this.#begun, held: heldRuns([...unanswered, ...this.#holdings.held()]) }),
    });
  }

  #accepted(header: Header): void {
    if (this.#isEnded) return;
    const { subscription, lease_ms } = header;
    if (typeof subscription === "string") this.#subscriptionId = subscription;
    this.#isActive = true;
    this.#begunTold = this.#begun;
    for (const range of parseRanges(header["lost"])) this.#loseRange([range], leaseLost());
    this.stopRenewing();
    const leaseMs = typeof lease_ms === "number" && lease_ms > 0 ? lease_ms : (this.#options.leaseMs ?? 30_000);
    this.#renewTimer = setInterval(() => this.#renew(), Math.max(20, leaseMs / 2));
    for (const batch of this.#unanswered) {
      batch.isResent = batch.id !== 0;
      this.#send(batch);
    }
    this.#flush();
    if (this.#isCancelled) this.#sendCancel();
    this.#ready.resolve();
  }

  #refused(error: PostroadError): void {
    if (this.#isEnded) return;
    if (!error.retryable) {
      this.ended(error);
      return;
    }
    this.#sink.failed(error, undefined);
    this.#retryLater();
  }

  /** A stopping broker ends subscriptions too: that is a pause, and what is held is resumed after it. */
  #endedByServer(error: PostroadError): void {
    if (!error.retryable) {
      this.ended(error);
      return;
    }
    this.lost();
    this.#retryLater();
  }

  #retryLater(): void {
    this.#retryTimer = setTimeout(() => {
      if (this.#link.status === "open" && !this.#isActive) this.#consume();
    }, RETRY_MS);
  }

  #received(frame: Frame): void {
    const { header } = frame;
    if (header["op"] === "deliver") {
      const batches = parseDeliver(frame);
      if (this.#isCancelled) return;
      for (const batch of batches) {
        const deliveries: Delivery[] = [];
        for (let index = 0; index < batch.count; index++) deliveries.push(new Delivery(batch, index, this));
        this.#holdings.add(batch, deliveries);
        this.#sink.deliver(deliveries);
      }
    } else if (header["op"] === "revoked") {
      const reason = typeof header["reason"] === "string" ? header["reason"] : "by an operator";
      this.#loseRange(parseRanges(header["numbers"]), leaseLost(reason));
    } else if (header["op"] === "end") this.#endedByServer(errorFrom(header));
  }

  #renew(): void {
    if (!this.#isActive || this.#holdings.isEmpty) return;
    this.#open.extend(this.#holdings.held());
    this.#flush();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    platform.endOfTick(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  /** Sends what was gathered, or keeps it until the subscription is active again. */
  #flush(): void {
    const batch = this.#open;
    if (!batch.isEmpty) {
      this.#open = new SettleBatch();
      this.#unanswered.add(batch);
      this.#send(batch);
      const max = this.#link.limits.prefetchMax;
      if (this.#prefetch.settled(batch.settled, Date.now(), max) && this.#isActive && !this.#isCancelled) {
        this.#link.send({ op: "prefetch", sub: this.#sub, prefetch: this.#prefetch.value });
      }
    }
    if (this.#isActive && (this.#begun > this.#begunTold || this.#progress.size > 0)) {
      this.#link.send({ op: "settle", sub: this.#sub, ...this.#news() });
    }
  }

  /** What goes along with any settle: what has begun, and progress. */
  #news(): Record<string, unknown> {
    const news: Record<string, unknown> = {};
    if (this.#begun > this.#begunTold) news["begun"] = this.#begunTold = this.#begun;
    if (this.#progress.size > 0) {
      news["progress"] = [...this.#progress.values()];
      this.#progress.clear();
    }
    return news;
  }

  #send(batch: SettleBatch): void {
    if (!this.#isActive) return;
    batch.id = this.#link.requests.nextId();
    this.#link.requests.expect(batch.id, {
      ok: (header) => this.#answered(batch, header),
      failed: (error) => this.#settleFailed(batch, error),
    });
    this.#link.send({ op: "settle", id: batch.id, sub: this.#sub, ...batch.parts(), ...this.#news() });
  }

  #sendCancel(): void {
    const id = this.#link.requests.nextId();
    this.#link.requests.expect(id, { ok: () => {}, failed: (error) => this.#sink.failed(error, undefined) });
    this.#link.send({ op: "cancel", id, sub: this.#sub });
  }

  #answered(batch: SettleBatch, header: Header): void {
    const lost = parseRanges(header["lost"]);
    const settled = parseRanges(header["settled"]);
    this.#done(batch);
    batch.resolve({ isLost: (number) => within(lost, number), isSettled: (number) => within(settled, number) });
    if (lost.length === 0) return;
    const error = leaseLost();
    for (const delivery of batch.deliveries) {
      if (within(lost, delivery.number)) this.#lose(delivery, error);
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
    for (const delivery of batch.deliveries) this.#sink.failed(error, delivery);
    const [only] = batch.deliveries;
    // Nothing of it happened: a message whose publishes were refused is tried again.
    if (batch.parts()["done"] !== undefined && batch.deliveries.length === 1 && only !== undefined) {
      only.unsettle();
      void only.nack({ reason: error.message });
    }
  }

  #done(batch: SettleBatch): void {
    this.#unanswered.delete(batch);
    if (this.#unanswered.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #loseRange(ranges: Parameters<typeof within>[0], error: PostroadError): void {
    for (const delivery of [...this.#holdings.held()]) if (within(ranges, delivery.number)) this.#lose(delivery, error);
  }

  #lose(delivery: Delivery, error: PostroadError): void {
    delivery.lose(error);
    this.#sink.lost(delivery, error);
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
