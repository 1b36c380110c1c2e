/** A handler and what feeds it: as many at a time as `concurrency` says, begun in the order of delivery. */
import type { Link } from "../link.js";
import { admit } from "../schema/check.js";
import type { Delivery } from "./delivery.js";
import type { Message } from "./message.js";
import { settleReturned, settleThrown } from "./outcome.js";
import type { Source } from "./source.js";
import { atLeastOne, type ConsumeOptions, Worker } from "./worker.js";

export type Handler<T> = (message: Message<T>, context: { readonly signal: AbortSignal }) => unknown;

export class Consumer<T = unknown> extends Worker {
  readonly #handler: Handler<T>;
  readonly #concurrency: number;
  readonly #source: Source;
  #queue: Delivery[] = [];
  #head = 0;

  /** @internal */
  constructor(link: Link, source: Source, handler: Handler<T>, options: ConsumeOptions, onClosed: () => void) {
    const concurrency = atLeastOne("concurrency", options.concurrency ?? 1);
    super(link, source, options, concurrency, onClosed);
    this.#source = source;
    this.#handler = handler;
    this.#concurrency = concurrency;
  }

  /** @internal */
  protected take(deliveries: readonly Delivery[]): void {
    this.#queue.push(...deliveries);
    this.#pump();
  }

  /** @internal */
  protected drop(): void {
    this.#queue = [];
    this.#head = 0;
  }

  #pump(): void {
    while (this.active.size < this.#concurrency) {
      const delivery = this.#queue[this.#head];
      if (delivery === undefined) break;
      this.#head++;
      if (delivery.isHeld) this.#begin(delivery);
    }
    if (this.#head === this.#queue.length || this.#head > 4_096) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }

  #begin(delivery: Delivery): void {
    this.subscription.begin(delivery, this.active.size === 0);
    const admitted = admit(delivery, this.#source.check);
    if (admitted === true) this.#handle(delivery, false);
    else if (admitted !== false) {
      this.active.add(delivery);
      void admitted.then((isGood) => {
        if (isGood && delivery.isHeld) this.#handle(delivery, true);
        else this.#left(delivery);
      });
    }
  }

  /** @param isActive - after an asynchronous schema it has taken its place already. */
  #handle(delivery: Delivery, isActive: boolean): void {
    let outcome: unknown;
    try {
      outcome = this.#handler(delivery as Delivery<T>, delivery);
    } catch (thrown) {
      settleThrown(delivery, thrown);
      if (isActive) this.#left(delivery);
      return;
    }
    if (!isThenable(outcome)) {
      this.#returned(delivery, outcome);
      if (isActive) this.#left(delivery);
      return;
    }
    this.active.add(delivery);
    outcome.then(
      (value) => {
        this.leave(delivery);
        this.#returned(delivery, value);
        this.#pump();
      },
      (thrown: unknown) => {
        this.leave(delivery);
        settleThrown(delivery, thrown);
        this.#pump();
      },
    );
  }

  /** Others wait for its place. */
  #left(delivery: Delivery): void {
    this.leave(delivery);
    this.#pump();
  }

  #returned(delivery: Delivery, value: unknown): void {
    settleReturned(delivery, value, (error) => this.failure(error, delivery));
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
