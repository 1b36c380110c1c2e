/** Messages by `for await`: each must be settled by the caller. Leaving the loop gives back what was not taken. */
import type { PostroadError } from "../errors.js";
import type { Link } from "../link.js";
import { admit } from "../schema/check.js";
import type { Delivery } from "./delivery.js";
import type { Message } from "./message.js";
import type { Source } from "./source.js";
import { Subscription } from "./subscription.js";
import { atLeastOne, atMost, type ConsumeOptions } from "./worker.js";

export type MessagesOptions = Omit<ConsumeOptions, "concurrency"> & { readonly signal?: AbortSignal };

export class Messages<T> implements AsyncIterableIterator<Message<T>> {
  readonly #subscription: Subscription;
  readonly #source: Source;
  readonly #buffer: Delivery[] = [];
  readonly #waiting: { resolve(result: IteratorResult<Message<T>>): void; reject(error: unknown): void }[] = [];
  readonly #onClosed: () => void;
  #isOver = false;
  #error: PostroadError | undefined;

  /** @internal */
  constructor(link: Link, source: Source, options: MessagesOptions, onClosed: () => void) {
    this.#source = source;
    this.#onClosed = onClosed;
    this.#subscription = new Subscription(
      link,
      {
        source,
        concurrency: 1,
        prefetch: options.prefetch === undefined ? undefined : atLeastOne("prefetch", options.prefetch),
        leaseMs: options.leaseMs,
        name: options.name,
      },
      {
        deliver: (deliveries) => {
          this.#buffer.push(...deliveries);
          this.#pump();
        },
        lost: () => {},
        failed: (error) =>
          link.options.logger.warn(`messages of ${source.name}: ${error.message}`, { code: error.code }),
        ended: (error) => this.#over(error),
      },
    );
    options.signal?.addEventListener("abort", () => void this.return(), { once: true });
    if (options.signal?.aborted === true) void this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Message<T>>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#pump();
    });
  }

  async return(): Promise<IteratorResult<Message<T>>> {
    if (!this.#isOver) {
      this.#buffer.length = 0;
      this.#subscription.cancel();
      this.#subscription.stopRenewing();
      this.#over(undefined);
      this.#onClosed();
    }
    return { done: true, value: undefined };
  }

  /** Leaves the loop and waits until what was settled is confirmed. */
  async close(timeoutMs: number): Promise<void> {
    await this.return();
    await atMost(timeoutMs, this.#subscription.finish());
    this.#subscription.abandon();
  }

  #pump(): void {
    for (;;) {
      const [waiting] = this.#waiting;
      if (waiting === undefined) return;
      const delivery = this.#buffer.shift();
      if (delivery === undefined) {
        if (!this.#isOver) return;
        this.#waiting.shift();
        if (this.#error === undefined) waiting.resolve({ done: true, value: undefined });
        else waiting.reject(this.#error);
        continue;
      }
      if (!delivery.isHeld) continue;
      this.#subscription.begin(delivery, false);
      const admitted = admit(delivery, this.#source.check);
      if (admitted === false) continue;
      this.#waiting.shift();
      if (admitted === true) waiting.resolve({ done: false, value: delivery as Delivery<T> });
      else
        void admitted.then((isGood) => {
          if (this.#isOver && delivery.isHeld) void delivery.release();
          if (isGood && delivery.isHeld) waiting.resolve({ done: false, value: delivery as Delivery<T> });
          else {
            this.#waiting.unshift(waiting);
            this.#pump();
          }
        });
    }
  }

  #over(error: PostroadError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#error = error;
    this.#pump();
  }
}
