import type { Client } from "./client.js";
import { type ConsumeOptions, Consumer, type Handler } from "./consume/consumer.js";
import { Messages, type MessagesOptions } from "./consume/iterator.js";
import type { Link } from "./link.js";
import { fromWire, toWire } from "./protocol/case.js";
import type { ConsumerInfo, MessageInfo, QueueSettings, QueueStats } from "./protocol/types.js";
import type { PublishOptions } from "./publish/attributes.js";
import type { Publisher } from "./publish/publisher.js";
import type { Receipt } from "./publish/receipt.js";

export interface QueueOptions {
  /** Whether publishing and consuming declare the queue with defaults if it does not exist. @defaultValue `true` */
  readonly declare?: boolean;
}

export interface QueueDetails {
  readonly queue: QueueStats;
  readonly settings: Required<QueueSettings>;
  readonly consumers: readonly ConsumerInfo[];
}

export interface PeekOptions {
  /** @defaultValue `"ready"` */
  readonly state?: "ready" | "delayed" | "leased" | "dead";
  /** Sequence after which to begin. */
  readonly after?: number;
  /** At most 200. */
  readonly limit?: number;
}

export interface PeekPage {
  readonly messages: readonly MessageInfo[];
  /** For `after`, to see more; null at the end. */
  readonly next: number | null;
}

/** What a queue needs of its client. @internal */
export interface Internals {
  readonly link: Link;
  readonly publisher: Publisher;
  readonly closers: Set<(options: { drain: boolean; timeoutMs: number }) => Promise<void>>;
}

/** How many messages `publishMany` hands over before it looks for room. */
const CHUNK = 1_000;

/** A queue by name; it need not exist yet. `T` is the type of its bodies. */
export class Queue<T = unknown> {
  readonly name: string;
  readonly #client: Client;
  readonly #internals: Internals;
  readonly #declare: boolean;

  /** @internal */
  constructor(client: Client, internals: Internals, name: string, options: QueueOptions) {
    this.name = name;
    this.#client = client;
    this.#internals = internals;
    this.#declare = options.declare ?? true;
  }

  /**
   * Publishes one message. What is published in one tick travels in one frame.
   *
   * @returns its receipt, once the broker has it durably.
   * @throws LimitExceeded if too much waits for its confirm, QueueFull, Conflict (dedup key with another body),
   *   OutcomeUnknown if the broker was replaced meanwhile.
   */
  publish(body: T, options?: PublishOptions): Promise<Receipt> {
    return this.#internals.publisher.publish(this.name, this.#declare, body, options);
  }

  /** Publishes many with the same options, as fast as they are confirmed; in order. */
  async publishMany(bodies: Iterable<T> | AsyncIterable<T>, options?: PublishOptions): Promise<Receipt[]> {
    const { publisher } = this.#internals;
    const receipts: Promise<Receipt>[] = [];
    for await (const body of bodies) {
      if (receipts.length % CHUNK === 0) await publisher.writable();
      options?.signal?.throwIfAborted();
      const receipt = publisher.publish(this.name, this.#declare, body, options);
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
   * @throws LimitExceeded if that was not heeded for long.
   */
  send(body: T, options?: Omit<PublishOptions, "signal">): boolean {
    return this.#internals.publisher.send(this.name, this.#declare, body, options);
  }

  /**
   * Handles messages: returning acks, with a result if a value was returned; throwing nacks, so that the message comes
   * back after the queue's backoff and goes to its dead-letter queue in the end.
   */
  consume(handler: Handler<T>, options: ConsumeOptions = {}): Consumer<T> {
    const { link, closers } = this.#internals;
    const close = (how: { drain: boolean; timeoutMs: number }): Promise<void> => consumer.close(how);
    const consumer = new Consumer<T>(link, this.name, handler, options, options.declare ?? this.#declare, () =>
      closers.delete(close),
    );
    closers.add(close);
    return consumer;
  }

  /** Messages by `for await`; each must be settled: `await m.ack()`. */
  messages(options: MessagesOptions = {}): Messages<T> {
    const { link, closers } = this.#internals;
    const close = ({ timeoutMs }: { timeoutMs: number }): Promise<void> => messages.close(timeoutMs);
    const messages = new Messages<T>(link, this.name, options, options.declare ?? this.#declare, () =>
      closers.delete(close),
    );
    closers.add(close);
    return messages;
  }

  /** Declares the queue. Other settings than it has are a `Conflict`, unless `update` is true. */
  async declare(
    settings: QueueSettings = {},
    { update = false }: { readonly update?: boolean } = {},
  ): Promise<{ created: boolean }> {
    const reply = await this.#internals.link.request({
      op: "declare",
      queue: this.name,
      settings: toWire(settings),
      update,
    });
    return { created: reply["created"] === true };
  }

  /** Removes the queue and everything in it. */
  async delete(): Promise<void> {
    await this.#internals.link.request({ op: "delete", queue: this.name }, { repeat: false });
  }

  async stats(): Promise<QueueStats> {
    return (await this.details()).queue;
  }

  async details(): Promise<QueueDetails> {
    return fromWire<QueueDetails>(await this.#client.query("queue", { queue: this.name }));
  }

  /** Looks at messages without touching them. */
  async peek(options: PeekOptions = {}): Promise<PeekPage> {
    return fromWire<PeekPage>(await this.#client.query("messages", { queue: this.name, ...options }));
  }

  /** Gives up all messages that are ready or delayed. */
  purge(): Promise<{ count: number }> {
    return this.#operate("purge");
  }

  /** No deliveries until {@link Queue.resume}. */
  async pause(reason?: string): Promise<void> {
    await this.#operate("pause", reason === undefined ? {} : { reason });
  }

  async resume(): Promise<void> {
    await this.#operate("resume");
  }

  /** Of a dead-letter queue: sends messages back to the queue they came from. */
  redrive(
    options: { readonly messages?: readonly string[]; readonly limit?: number } = {},
  ): Promise<{ count: number }> {
    return this.#operate("redrive", options);
  }

  /** Gives up these messages. */
  discard(messages: readonly string[]): Promise<{ count: number }> {
    return this.#operate("discard", { messages });
  }

  async #operate(what: string, args: object = {}): Promise<{ count: number }> {
    const { count } = await this.#client.operate(what, { queue: this.name, ...args });
    return { count: typeof count === "number" ? count : 0 };
  }
}
