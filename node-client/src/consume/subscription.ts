/**
 * One `consume` subscription: what it holds, what it has settled and not heard of, and how it comes back after a
 * reconnect (docs/protocol.md §5, §5.1). Who handles the messages is the sink's business.
 */

import { errorFrom, InvalidState, OutcomeUnknown, type PostroadError } from "../errors.js";
import type { Link, Participant } from "../link.js";
import type { Frame, Header } from "../protocol/frame.js";
import { parseRanges, within } from "../protocol/ranges.js";
import type { Opening } from "../session/session.js";
import { Delivery, type Holder, leaseLost, type Settlement } from "./delivery.js";
import { heldRuns } from "./held.js";
import { Holdings } from "./holdings.js";
import type { BatchDone, LogLevel } from "./message.js";
import { parseDeliver } from "./parse.js";
import { Prefetch } from "./prefetch.js";
import { Settler } from "./settler.js";
import type { Source } from "./source.js";

export interface SubscribeOptions {
  readonly source: Source;
  readonly concurrency: number;
  readonly prefetch: number | undefined;
  readonly leaseMs: number | undefined;
  readonly name: string | undefined;
}

export interface Sink {
  deliver(deliveries: readonly Delivery[]): void;
  lost(delivery: Delivery, error: PostroadError): void;
  failed(error: PostroadError, delivery: Delivery | undefined): void;
  /** Nothing more will come. */
  ended(error: PostroadError | undefined): void;
}

const RETRY_MS = 1_000;
const UNASKED = leaseLost("never begun, the consumer is closing");

export class Subscription implements Holder, Participant {
  readonly #link: Link;
  readonly #options: SubscribeOptions;
  readonly #sink: Sink;
  readonly #sub: number;
  readonly #prefetch: Prefetch;
  readonly #holdings = new Holdings();
  readonly #settler: Settler;
  #subscriptionId: string | undefined;
  #isActive = false;
  #isCancelled = false;
  #isEnded = false;
  #renews = true;
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
    this.#settler = new Settler(link, this.#sub, {
      settled: (count) => this.#adapt(count),
      lost: (delivery, error) => this.#lose(delivery, error),
      failed: (error, delivery) => sink.failed(error, delivery),
    });
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
    return this.#options.source.name;
  }

  get prefetch(): number {
    return this.#prefetch.value;
  }

  /**
   * Its handler is about to run. Deliveries begin in the order of their numbers, so the highest number says it all.
   *
   * @param isAlone - nothing else that has begun is unsettled.
   */
  begin(delivery: Delivery, isAlone: boolean): void {
    this.#settler.begin(delivery, isAlone);
  }

  settle(delivery: Delivery, settlement: Settlement): Promise<void> {
    return this.#settler.settle(delivery, settlement);
  }

  settleWhole(deliveries: readonly Delivery[], done: BatchDone): Promise<void> {
    return this.#settler.settleWhole(deliveries, done);
  }

  ack(delivery: Delivery): void {
    this.#settler.ack(delivery);
  }

  extend(delivery: Delivery, leaseMs: number | undefined): Promise<void> {
    return this.#settler.extend(delivery, leaseMs);
  }

  progress(delivery: Delivery, percent: number, note: string | undefined): void {
    this.#settler.progress(delivery, percent, note);
  }

  log(delivery: Delivery, text: string, level: LogLevel): void {
    this.#settler.log(delivery, text, level);
  }

  /** Ends the supply. What has begun can still be settled; what has not goes back. */
  cancel(): void {
    if (this.#isCancelled || this.#isEnded) return;
    this.#settler.flush();
    this.#isCancelled = true;
    for (const delivery of this.#holdings.held()) if (delivery.number > this.#settler.begun) delivery.lose(UNASKED);
    if (this.#isActive) this.#sendCancel();
  }

  /** Lets leases run out from now on. */
  stopRenewing(): void {
    this.#renews = false;
    clearInterval(this.#renewTimer);
  }

  /** Waits until the broker has answered everything that was settled, then forgets the subscription. */
  async finish(): Promise<void> {
    if (!this.#isEnded) await this.#settler.finish();
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
    this.#settler.deactivate();
    clearTimeout(this.#retryTimer);
    clearInterval(this.#renewTimer);
  }

  ended(error: PostroadError): void {
    if (this.#isEnded) return;
    const unknown = new OutcomeUnknown("The subscription ended before the answer.", { cause: error });
    this.#end();
    this.#settler.reject(unknown);
    for (const delivery of this.#holdings.clear()) delivery.lose(leaseLost());
    this.#ready.reject(error);
    this.#sink.ended(error);
  }

  #end(): void {
    this.lost();
    this.#settler.end();
    this.#isEnded = true;
    this.#link.leave(this);
    this.#link.unroute(this.#sub);
  }

  /** Another data set: nothing of what was held exists there. */
  #forget(): void {
    const held = this.#holdings.clear();
    this.#subscriptionId = undefined;
    this.#settler.reject(new OutcomeUnknown("The broker now serves another data set."));
    for (const delivery of held) this.#lose(delivery, leaseLost());
  }

  #consume(): void {
    const { source, leaseMs, name } = this.#options;
    const resume = this.#subscriptionId;
    const id = this.#link.requests.nextId();
    this.#link.requests.expect(id, {
      ok: (header) => this.#accepted(header),
      failed: (error) => this.#refused(error),
    });
    this.#link.send({
      op: "consume",
      id,
      sub: this.#sub,
      ...source.fields,
      reports_begun: true,
      prefetch: this.#isCancelled ? 1 : Math.min(this.#prefetch.value, this.#link.limits.prefetchMax),
      ...(name === undefined ? {} : { consumer: name }),
      ...(leaseMs === undefined ? {} : { lease_ms: leaseMs }),
      ...(resume === undefined
        ? {}
        : {
            resume,
            begun: this.#settler.begun,
            held: heldRuns([...this.#settler.unanswered(), ...this.#holdings.held()]),
          }),
    });
  }

  #accepted(header: Header): void {
    if (this.#isEnded) return;
    const { subscription, lease_ms } = header;
    if (typeof subscription === "string") this.#subscriptionId = subscription;
    this.#isActive = true;
    this.#loseRange(parseRanges(header["lost"]), leaseLost());
    clearInterval(this.#renewTimer);
    const leaseMs = typeof lease_ms === "number" && lease_ms > 0 ? lease_ms : (this.#options.leaseMs ?? 30_000);
    if (this.#renews) this.#renewTimer = setInterval(() => this.#renew(), Math.max(20, leaseMs / 2));
    this.#settler.activate();
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
        if (batch.hasRetries)
          for (const { attempt, number } of deliveries) if (attempt > 1) this.#settler.expectRetry(number);
        this.#sink.deliver(deliveries);
      }
    } else if (header["op"] === "revoked") {
      const reason = typeof header["reason"] === "string" ? header["reason"] : "by an operator";
      this.#loseRange(parseRanges(header["numbers"]), leaseLost(reason));
    } else if (header["op"] === "end") this.#endedByServer(errorFrom(header));
  }

  #renew(): void {
    if (this.#isActive && !this.#holdings.isEmpty) this.#settler.renew(this.#holdings.held());
  }

  #adapt(settled: number): void {
    if (!this.#prefetch.settled(settled, Date.now(), this.#link.limits.prefetchMax)) return;
    if (this.#isActive && !this.#isCancelled) {
      this.#link.send({ op: "prefetch", sub: this.#sub, prefetch: this.#prefetch.value });
    }
  }

  #sendCancel(): void {
    const id = this.#link.requests.nextId();
    this.#link.requests.expect(id, { ok: () => {}, failed: (error) => this.#sink.failed(error, undefined) });
    this.#link.send({ op: "cancel", id, sub: this.#sub });
  }

  #loseRange(ranges: Parameters<typeof within>[0], error: PostroadError): void {
    if (ranges.length === 0) return;
    for (const delivery of [...this.#holdings.held()]) if (within(ranges, delivery.number)) this.#lose(delivery, error);
  }

  #lose(delivery: Delivery, error: PostroadError): void {
    if (delivery.lose(error)) this.#sink.lost(delivery, error);
  }
}
