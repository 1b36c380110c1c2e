/** What feeds handlers: a subscription, who listens to it, and how it ends. */
import { InvalidState, type PostroadError } from "../errors.js";
import type { Link } from "../link.js";
import { type Delivery, leaseLost } from "./delivery.js";
import type { Message } from "./message.js";
import type { Source } from "./source.js";
import { Subscription } from "./subscription.js";

export interface ConsumeOptions {
  /** Handlers at a time. @defaultValue 1 */
  readonly concurrency?: number;
  /** Messages held at a time. @defaultValue 2 × concurrency, growing to 8,192 while handlers are quick */
  readonly prefetch?: number;
  /** Another lease than the queue's. */
  readonly leaseMs?: number;
  /** Shown in timelines. */
  readonly name?: string;
  /** Declare the queue or group with defaults if it does not exist. @defaultValue the queue's option, else `true` */
  readonly declare?: boolean;
}

export interface CloseOptions {
  /** Let what runs finish. @defaultValue `true` */
  readonly drain?: boolean;
  /** How long to wait for that; then signals are aborted and messages given back. @defaultValue 30,000 */
  readonly timeoutMs?: number;
}

export interface ConsumerEvents {
  /** A message went to somebody else, or an operator took it; its signal is aborted. */
  leaseLost: (message: Message, error: PostroadError) => void;
  /** Something went wrong that no promise tells. Without a listener it is logged. */
  error: (error: PostroadError, message: Message | undefined) => void;
  /** Nothing more will come; with an error if that was not asked for. */
  end: (error: PostroadError | undefined) => void;
}

/** A consumer's part that does not care how handlers are called. */
export abstract class Worker {
  /** The queue, or `<stream>/<group>`. */
  readonly queue: string;
  /** @internal */
  protected readonly subscription: Subscription;
  /** @internal */
  protected readonly active: Set<Delivery> = new Set();
  readonly #link: Link;
  readonly #listeners: { [E in keyof ConsumerEvents]: Set<ConsumerEvents[E]> } = {
    leaseLost: new Set(),
    error: new Set(),
    end: new Set(),
  };
  readonly #onClosed: () => void;
  #whenIdle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(link: Link, source: Source, options: ConsumeOptions, concurrency: number, onClosed: () => void) {
    this.queue = source.name;
    this.#link = link;
    this.#onClosed = onClosed;
    this.subscription = new Subscription(
      link,
      {
        source,
        concurrency,
        prefetch: options.prefetch === undefined ? undefined : atLeastOne("prefetch", options.prefetch),
        leaseMs: options.leaseMs,
        name: options.name,
      },
      {
        deliver: (deliveries) => {
          if (this.#closing === undefined) this.take(deliveries);
        },
        lost: (delivery, error) => this.#emit("leaseLost", delivery, error),
        failed: (error, delivery) => this.failure(error, delivery),
        ended: (error) => this.#ended(error),
      },
    );
  }

  /** Resolved when the broker has accepted the consumer, rejected if it refused. */
  ready(): Promise<void> {
    return this.subscription.ready;
  }

  /** Messages that handlers work on now. */
  get running(): number {
    return this.active.size;
  }

  /** Listens; call what it returns to stop. */
  on<E extends keyof ConsumerEvents>(event: E, listener: ConsumerEvents[E]): () => void {
    this.#listeners[event].add(listener);
    return () => void this.#listeners[event].delete(listener);
  }

  /** Stops the supply, lets running handlers finish, and resolves when their outcomes are confirmed. What was not begun goes back. */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Deliveries came. @internal */
  protected abstract take(deliveries: readonly Delivery[]): void;

  /** Forgets what was not begun. @internal */
  protected abstract drop(): void;

  /** A handler is done with it. @internal */
  protected leave(delivery: Delivery): void {
    this.active.delete(delivery);
    if (this.active.size === 0) this.#whenIdle?.();
  }

  /** Tells handlers to stop. @internal */
  protected abort(error: PostroadError): void {
    for (const delivery of this.active) delivery.abort(error);
  }

  /** @internal */
  protected failure(error: PostroadError, message: Message | undefined): void {
    if (this.#listeners.error.size > 0) this.#emit("error", error, message);
    else
      this.#link.options.logger.error(`consumer of ${this.queue}: ${error.message}`, {
        code: error.code,
        message: message?.id,
      });
  }

  async #close({ drain = true, timeoutMs = 30_000 }: CloseOptions): Promise<void> {
    this.drop();
    this.subscription.cancel();
    const deadline = Date.now() + timeoutMs;
    if (drain && this.active.size > 0) {
      await atMost(timeoutMs, new Promise<void>((resolve) => (this.#whenIdle = resolve)));
    }
    this.abort(new InvalidState("The consumer is closed."));
    for (const delivery of this.active) if (delivery.isHeld) void delivery.release();
    await atMost(Math.max(100, deadline - Date.now()), this.subscription.finish());
    this.subscription.abandon();
    this.#onClosed();
    this.#emit("end", undefined);
  }

  #ended(error: PostroadError | undefined): void {
    this.drop();
    for (const delivery of this.active) delivery.lose(leaseLost());
    this.#whenIdle?.();
    if (this.#closing === undefined) {
      this.#closing = Promise.resolve();
      this.#onClosed();
      if (error !== undefined) this.failure(error, undefined);
      this.#emit("end", error);
    }
  }

  #emit<E extends keyof ConsumerEvents>(event: E, ...values: Parameters<ConsumerEvents[E]>): void {
    for (const listener of [...this.#listeners[event]])
      (listener as (...given: Parameters<ConsumerEvents[E]>) => void)(...values);
  }
}

export function atLeastOne(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1) throw new TypeError(`${name} must be an integer of at least 1.`);
  return value;
}

export async function atMost(ms: number, promise: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([promise, new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}
