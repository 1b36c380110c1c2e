import { type Refused, sift } from "../schema/sift.js";
import type { StandardSchema } from "../schema/standard.js";
import type { ReadMessage } from "./message.js";

export interface SieveEvents<T> {
  /** In the order of the stream. */
  taken(messages: ReadMessage<T>[]): void;
  readonly refused: Refused;
}

/** Lets through what a schema takes, in order also where it is asynchronous; without a schema everything, at once. */
export class Sieve<T> {
  readonly #schema: StandardSchema<unknown> | undefined;
  readonly #events: SieveEvents<T>;
  #waiting: (readonly ReadMessage<T>[])[] = [];
  #chain: Promise<void> = Promise.resolve();
  /** Messages that are being checked. */
  count = 0;

  constructor(schema: StandardSchema<unknown> | undefined, events: SieveEvents<T>) {
    this.#schema = schema;
    this.#events = events;
  }

  /** The offset of the first message that is being checked. */
  get first(): number | undefined {
    return this.#waiting[0]?.[0]?.offset;
  }

  add(messages: ReadMessage<T>[]): void {
    if (this.#schema === undefined) {
      this.#events.taken(messages);
      return;
    }
    const kept = sift(messages, this.#schema, this.#events.refused);
    if (!(kept instanceof Promise) && this.#waiting.length === 0) {
      this.#events.taken(kept);
      return;
    }
    this.#waiting.push(messages);
    this.count += messages.length;
    this.#chain = this.#chain.then(async () => {
      const taken = await kept;
      this.#waiting.shift();
      this.count -= messages.length;
      this.#events.taken(taken);
    });
  }

  /** Calls back after what is being checked now. */
  after(then: () => void): void {
    if (this.#waiting.length === 0) then();
    else void this.#chain.then(then);
  }
}
