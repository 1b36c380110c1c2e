/** A handler that takes several messages at a time: for bulk inserts and calls that cost the same for one as for many. */
import type { PostroadError } from "../errors.js";
import type { Link } from "../link.js";
import { admit } from "../schema/check.js";
import type { Delivery } from "./delivery.js";
import type { Message } from "./message.js";
import { settleThrown } from "./outcome.js";
import type { Source } from "./source.js";
import { atLeastOne, type ConsumeOptions, Worker } from "./worker.js";

/** Returning acks what it has not settled itself, throwing nacks that; the value is not stored. */
export type BatchHandler<T> = (
  messages: readonly Message<T>[],
  context: {
    /** Aborted when the consumer gives up on the handler; each message has a signal of its own for its lease. */
    readonly signal: AbortSignal;
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
    for (const delivery of batch) {
      this.subscription.begin(delivery);
      this.active.add(delivery);
    }
    try {
      const good = await this.#admitted(batch);
      if (good.length > 0) await this.#handler(good as readonly Delivery<T>[], { signal: controller.signal });
      for (const delivery of good) delivery.finish();
    } catch (thrown) {
      for (const delivery of batch) settleThrown(delivery, thrown);
    }
    this.#controllers.delete(controller);
    for (const delivery of batch) this.leave(delivery);
    this.#pump();
  }

  async #admitted(batch: readonly Delivery[]): Promise<readonly Delivery[]> {
    const admitted = await Promise.all(batch.map((delivery) => admit(delivery, this.#source.check)));
    return batch.filter((delivery, index) => admitted[index] === true && delivery.isHeld);
  }
}
