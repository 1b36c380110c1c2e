/** What queues, streams and topics have in common: messages can be published to them. */
import { asPostroadError, InvalidRequest } from "../errors.js";
import { checkBody } from "../schema/check.js";
import type { StandardSchema } from "../schema/standard.js";
import type { PublishOptions } from "./attributes.js";
import type { Publisher } from "./publisher.js";
import type { Receipt } from "./receipt.js";
import type { Target } from "./target.js";

/** How many messages `publishMany` hands over before it looks for room. */
const CHUNK = 1_000;

/** `In` is what is published, `O` its options, `R` its receipt. */
export abstract class Destination<In, O extends PublishOptions, R extends Receipt> {
  readonly name: string;
  readonly #publisher: Publisher;
  readonly #schema: StandardSchema<unknown> | undefined;

  /** @internal */
  constructor(name: string, publisher: Publisher, schema: StandardSchema<unknown> | undefined) {
    this.name = name;
    this.#publisher = publisher;
    this.#schema = schema;
  }

  /** @internal */
  protected abstract target(options: O | undefined): Target;

  /**
   * Publishes one message. What is published in one tick travels in one frame.
   *
   * @returns its receipt, once the broker has it durably.
   * @throws InvalidMessage if a schema refuses it, LimitExceeded if too much waits for its confirm, QueueFull, Conflict
   *   (dedup key with another body), Unroutable (a `mandatory` message that no binding matches), OutcomeUnknown if the
   *   broker was replaced meanwhile.
   */
  publish(body: In, options?: O): Promise<R> {
    if (this.#schema !== undefined) return this.#checked(this.#schema, body, options);
    return this.#publisher.publish(this.target(options), body, options) as Promise<R>;
  }

  /** Publishes many with the same options, as fast as they are confirmed; in order. */
  async publishMany(bodies: Iterable<In> | AsyncIterable<In>, options?: O): Promise<R[]> {
    const publisher = this.#publisher;
    const receipts: Promise<R>[] = [];
    for await (const body of bodies) {
      if (receipts.length % CHUNK === 0) await publisher.writable();
      options?.signal?.throwIfAborted();
      const receipt = this.publish(body, options);
      // The first failure is thrown below; the others are then nobody's.
      receipt.catch(() => {});
      receipts.push(receipt);
      if (!publisher.isWritable) await publisher.writable();
    }
    return Promise.all(receipts);
  }

  /**
   * Publishes without a receipt: the fastest way. {@link Client.flush} waits for the confirms and throws the first failure.
   *
   * @returns false when it is time to wait for {@link Client.writable}.
   * @throws LimitExceeded if that was not heeded for long, InvalidMessage, and InvalidRequest if the schema is asynchronous.
   */
  send(body: In, options?: Omit<O, "signal">): boolean {
    if (this.#schema !== undefined && checkBody(this.name, this.#schema, body) !== undefined)
      throw new InvalidRequest("send cannot wait for an asynchronous schema; publish can.");
    return this.#publisher.send(this.target(options as O | undefined), body, options as O | undefined);
  }

  #checked(schema: StandardSchema<unknown>, body: In, options: O | undefined): Promise<R> {
    const go = (): Promise<R> => this.#publisher.publish(this.target(options), body, options) as Promise<R>;
    try {
      const checked = checkBody(this.name, schema, body);
      // Bodies of an asynchronous schema may change places: each goes when it was found good.
      return checked === undefined ? go() : checked.then(go);
    } catch (error) {
      return Promise.reject(asPostroadError(error));
    }
  }
}
