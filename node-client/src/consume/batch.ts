/** A handler that takes several messages at a time: for bulk inserts and calls that cost the same for one as for many. */
import { asPostroadError, InvalidRequest, LeaseLost, type PostroadError } from "../errors.js";
import type { Link } from "../link.js";
import { admit } from "../schema/check.js";
import type { Delivery } from "./delivery.js";
import { BatchDone, type Follower, type Message } from "./message.js";
import { settleThrown } from "./outcome.js";
import type { Source } from "./source.js";
import { atLeastOne, type ConsumeOptions, Worker } from "./worker.js";

/**
 * Returning acks what it has not settled itself, throwing nacks that. The value is not stored, but for what the context's `done`
 * returns: then all acks, results and further publishes become one record, or nothing does.
 */
export type BatchHandler<T> = (
  messages: readonly Message<T>[],
  context: {
    /** Aborted when the consumer gives up on the handler; each message has a signal of its own for its lease. */
    readonly signal: AbortSignal;
    /**
     * All messages of the batch with a result each, in their order, and further publishes: one record, or nothing, and then all are
     * tried again. To be returned by the handler, which settles none of them itself.
     */
    readonly done: (outcome: {
      readonly results?: readonly unknown[];
      readonly publish?: readonly Follower[];
    }) => BatchDone;
  },
) => unknown;

export interface BatchOptions extends ConsumeOptions {
  /** Most messages in a batch. @defaultValue 100 */
  readonly size?: number;
  /** How long the first message of a batch waits for more. @defaultValue 100 */
  readonly waitMs?: number;
}

export class BatchConsumer<T = unknown> extends Worker {
  readonly #handler: BatchHandler<T>;
  readonly #source: Source;
  readonly #concurrency: number;
  readonly #size: number;
  readonly #waitMs: number;
  readonly #controllers = new Set<AbortController>();
  #waiting: Delivery[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isDue = false;

  /** @internal */
  constructor(link: Link, source: Source, handler: BatchHandler<T>, options: BatchOptions, onClosed: () => void) {
    const concurrency = atLeastOne("concurrency", options.concurrency ?? 1);
    const size = atLeastOne("size", options.size ?? 100);
    super(link, source, options, concurrency * size, onClosed);
    this.#handler = handler;
    this.#source = source;
    this.#concurrency = concurrency;
    this.#size = size;
    this.#waitMs = options.waitMs ?? 100;
  }

  /** @internal */
  protected take(deliveries: readonly Delivery[]): void {
    this.#waiting.push(...deliveries);
    this.#pump();
  }

  /** @internal */
  protected drop(): void {
    this.#waiting = [];
    this.#rest();
  }

  /** @internal */
  protected override abort(error: PostroadError): void {
    super.abort(error);
    for (const controller of this.#controllers) controller.abort(error);
  }

  #pump(): void {
    while (this.#controllers.size < this.#concurrency) {
      if (this.#waiting.length < this.#size && !this.#isDue) break;
      const batch = this.#waiting.splice(0, this.#size).filter(({ isHeld }) => isHeld);
      this.#rest();
      if (batch.length > 0) void this.#run(batch);
      if (this.#waiting.length === 0) break;
    }
    if (this.#waiting.length > 0 && !this.#isDue)
      this.#timer ??= setTimeout(() => {
        this.#isDue = true;
        this.#pump();
      }, this.#waitMs);
  }

  #rest(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isDue = false;
  }

  async #run(batch: readonly Delivery[]): Promise<void> {
    const controller = new AbortController();
    this.#controllers.add(controller);
    const [last] = batch.slice(-1);
    if (last !== undefined) this.subscription.begin(last, false);
    for (const delivery of batch) this.active.add(delivery);
    try {
      const good = await this.#admitted(batch);
      const context = { signal: controller.signal, done: doneOf(good.length) };
      const value = good.length > 0 ? await this.#handler(good as readonly Delivery<T>[], context) : undefined;
      if (value instanceof BatchDone) await this.#finish(good, value);
      else for (const delivery of good) delivery.finish();
    } catch (thrown) {
      for (const delivery of batch) settleThrown(delivery, thrown);
    }
    this.#controllers.delete(controller);
    for (const delivery of batch) this.leave(delivery);
    this.#pump();
  }

  /** @throws LeaseLost if one of them is not held any more: then none is done. */
  async #finish(batch: readonly Delivery[], done: BatchDone): Promise<void> {
    if (!batch.every(({ isHeld }) => isHeld)) throw new LeaseLost("A message of the batch is not held any more.");
    try {
      await this.subscription.settleWhole(batch, done);
    } catch (error) {
      this.failure(asPostroadError(error), batch[0]);
      throw error;
    }
  }

  async #admitted(batch: readonly Delivery[]): Promise<readonly Delivery[]> {
    const admitted = await Promise.all(batch.map((delivery) => admit(delivery, this.#source.check)));
    return batch.filter((delivery, index) => admitted[index] === true && delivery.isHeld);
  }
}

const doneOf =
  (count: number) =>
  ({
    results = [],
    publish = [],
  }: {
    readonly results?: readonly unknown[];
    readonly publish?: readonly Follower[];
  }): BatchDone => {
    if (results.length > 0 && results.length !== count)
      throw new InvalidRequest(`There are ${count} messages, and ${results.length} results.`, {
        details: { field: "results" },
      });
    return new BatchDone(results, publish);
  };
