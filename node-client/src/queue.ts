import { type CallOptions, call } from "./call.js";
import type { BatchConsumer, BatchHandler, BatchOptions } from "./consume/batch.js";
import type { Consumer, Handler } from "./consume/consumer.js";
import type { Messages, MessagesOptions } from "./consume/iterator.js";
import { Receiver } from "./consume/receiver.js";
import type { ConsumeOptions } from "./consume/worker.js";
import type { Internals } from "./internals.js";
import { type Moved, type OperationOptions, operateLong, type RedriveOptions } from "./operation.js";
import { fromWire, toWire } from "./protocol/case.js";
import type { ConsumerInfo, MessageInfo, QueueSettings, QueueStats } from "./protocol/types.js";
import type { PublishOptions } from "./publish/attributes.js";
import { Destination } from "./publish/destination.js";
import { type InlineOptions, inlineMessage } from "./publish/inline.js";
import type { Receipt } from "./publish/receipt.js";
import { queueTarget, type Target } from "./publish/target.js";
import type { QueueDefinition } from "./schema/define.js";

export interface QueueOptions {
  /** Whether publishing and consuming declare the queue with defaults if it does not exist. @defaultValue `true` */
  readonly declare?: boolean;
}

export interface QueueDetails {
  readonly queue: QueueStats;
  readonly settings: Required<QueueSettings>;
  readonly consumers: readonly ConsumerInfo[];
}

export interface SearchOptions {
  /** In the body. */
  readonly text?: string;
  /** All of these. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The ordering key. */
  readonly key?: string;
  /** @defaultValue `"ready"` */
  readonly state?: "ready" | "parked" | "delayed" | "leased" | "dead";
}

export interface PeekOptions extends SearchOptions {
  /** Sequence after which to begin. */
  readonly after?: number;
  /** At most 200. */
  readonly limit?: number;
}

export interface PeekPage {
  readonly messages: readonly MessageInfo[];
  /** For `after`, to see more; null at the end. */
  readonly next: number | null;
  /** How many a search looked through. */
  readonly searched?: number;
}

/** A queue by name; it need not exist yet. `T` is what handlers get, `In` what is published. */
export class Queue<T = unknown, In = T> extends Destination<In, PublishOptions, Receipt> {
  readonly #internals: Internals;
  readonly #definition: QueueDefinition<T, In>;
  readonly #target: Target;
  readonly #receiver: Receiver<T>;

  /** @internal */
  constructor(internals: Internals, definition: QueueDefinition<T, In>, options: QueueOptions) {
    super(definition.name, internals.publisher, definition.schema);
    const { name, schema, onInvalid = "dead-letter" } = definition;
    this.#internals = internals;
    this.#definition = definition;
    this.#target = queueTarget(name, options.declare ?? true);
    const check = schema === undefined ? undefined : { schema, onInvalid };
    this.#receiver = new Receiver<T>(internals, ({ declare = options.declare ?? true }) => ({
      name,
      fields: declare ? { queue: name } : { queue: name, declare: false },
      check,
    }));
  }

  /** @internal */
  protected target(): Target {
    return this.#target;
  }

  /**
   * Handles messages: returning acks, with a result if a value was returned; throwing nacks, so that the message comes
   * back after the queue's backoff and goes to its dead-letter queue in the end.
   */
  consume(handler: Handler<T>, options: ConsumeOptions = {}): Consumer<T> {
    return this.#receiver.consume(handler, options);
  }

  /** Handles several messages at a time: returning acks all that the handler has not settled itself, throwing nacks them. */
  consumeBatch(handler: BatchHandler<T>, options: BatchOptions = {}): BatchConsumer<T> {
    return this.#receiver.consumeBatch(handler, options);
  }

  /** Messages by `for await`; each must be settled: `await m.ack()`. */
  messages(options: MessagesOptions = {}): Messages<T> {
    return this.#receiver.messages(options);
  }

  /**
   * Publishes a message and waits for what its handler returns: request and reply over a durable queue.
   *
   * @returns the stored result, `undefined` if the handler returned nothing.
   * @throws CallFailed if the message was given up (its `state` says how), CallTimeout, and what {@link Queue.publish} throws.
   */
  async call<R = unknown>(body: In, options: CallOptions = {}): Promise<R> {
    return (await call(this.#internals, (given) => this.publish(body, given), options)) as R;
  }

  /**
   * Declares the queue, with its definition's settings if none are given. Other settings than it has are a `Conflict`,
   * unless `update` is true.
   */
  async declare(
    settings: QueueSettings = this.#definition.settings ?? {},
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
    return fromWire<QueueDetails>(await this.#internals.query("queue", { queue: this.name }));
  }

  /** Looks at messages without touching them. */
  async peek(options: PeekOptions = {}): Promise<PeekPage> {
    return fromWire<PeekPage>(await this.#internals.query("messages", { queue: this.name, ...options }));
  }

  /** All messages that fit, by `for await`, page after page; looking does not touch them. */
  async *search(options: SearchOptions = {}): AsyncGenerator<MessageInfo, void, undefined> {
    let after: number | null | undefined;
    while (after !== null) {
      const page: PeekPage = await this.peek({ ...options, limit: 200, ...(after === undefined ? {} : { after }) });
      yield* page.messages;
      after = page.next;
    }
  }

  /** Gives up all messages that are ready or delayed, as of now. */
  purge(options: OperationOptions = {}): Promise<{ count: number }> {
    return this.#operateLong("purge", {}, options);
  }

  /** No deliveries until {@link Queue.resume}. */
  async pause(reason?: string): Promise<void> {
    await this.#internals.operate("pause", { queue: this.name, ...(reason === undefined ? {} : { reason }) });
  }

  async resume(): Promise<void> {
    await this.#internals.operate("resume", { queue: this.name });
  }

  /** Of a dead-letter queue: sends messages back to the queue they came from. */
  redrive({ signal, onProgress, ...chosen }: RedriveOptions = {}): Promise<Moved> {
    return this.#operateLong("redrive", chosen, { signal, onProgress });
  }

  /**
   * Of a dead-letter queue: publishes a corrected message to where the dead one came from, and settles the dead one, in
   * one step. The new one names the old in its header `postroad-cause`.
   */
  async edit(messageId: string, body: In, options: InlineOptions = {}): Promise<{ id: string }> {
    const answer = await this.#internals.operate("edit", {
      queue: this.name,
      message: messageId,
      with: inlineMessage(body, options),
    });
    return { id: String(answer["message"]) };
  }

  /** Gives up these messages. */
  discard(messages: readonly string[], options: OperationOptions = {}): Promise<{ count: number }> {
    return this.#operateLong("discard", { messages }, options);
  }

  #operateLong(what: string, args: object, options: OperationOptions): Promise<Moved> {
    return operateLong(this.#internals, what, { queue: this.name, ...args }, options);
  }
}
