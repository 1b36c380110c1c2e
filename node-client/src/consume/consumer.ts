/** A handler and what feeds it: as many at a time as `concurrency` says, begun in the order of delivery. */
import { InvalidState, type PostroadError } from "../errors.js";
import type { Link } from "../link.js";
import { type Delivery, leaseLost } from "./delivery.js";
import { DeadLetter, Done, type Message, Retry } from "./message.js";
import { type Sink, Subscription } from "./subscription.js";

export type Handler<T> = (message: Message<T>, context: { readonly signal: AbortSignal }) => unknown;

export interface ConsumeOptions {
  /** Handlers at a time. @defaultValue 1 */
  readonly concurrency?: number;
  /** Messages held at a time. @defaultValue 2 × concurrency, growing to 8,192 while handlers are quick */
  readonly prefetch?: number;
  /** Another lease than the queue's. */
  readonly leaseMs?: number;
  /** Shown in timelines. */
  readonly name?: string;
  /** Declare the queue with defaults if it does not exist. @defaultValue the queue's option, else `true` */
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

export class Consumer<T = unknown> {
  readonly queue: string;
  readonly #link: Link;
  readonly #handler: Handler<T>;
  readonly #concurrency: number;
  readonly #subscription: Subscription;
  readonly #listeners: { [E in keyof ConsumerEvents]: Set<ConsumerEvents[E]> } = {
    leaseLost: new Set(),
    error: new Set(),
    end: new Set(),
  };
  readonly #running = new Set<Delivery>();
  readonly #onClosed: (consumer: Consumer<T>) => void;
  #queue: Delivery[] = [];
  #head = 0;
  #whenIdle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(
    link: Link,
    queue: string,
    handler: Handler<T>,
    options: ConsumeOptions,
    declare: boolean,
    onClosed: (consumer: Consumer<T>) => void,
  ) {
    this.queue = queue;
    this.#link = link;
    this.#handler = handler;
    this.#onClosed = onClosed;
    this.#concurrency = atLeastOne("concurrency", options.concurrency ?? 1);
    const sink: Sink = {
      deliver: (deliveries) => this.#deliver(deliveries),
      lost: (delivery, error) => this.#emit("leaseLost", delivery, error),
      failed: (error, delivery) => this.#failure(error, delivery),
      ended: (error) => this.#ended(error),
    };
    this.#subscription = new Subscription(
      link,
      {
        queue,
        concurrency: this.#concurrency,
        prefetch: options.prefetch === undefined ? undefined : atLeastOne("prefetch", options.prefetch),
        leaseMs: options.leaseMs,
        name: options.name,
        declare,
      },
      sink,
    );
  }

  /** Resolved when the broker has accepted the consumer, rejected if it refused. */
  ready(): Promise<void> {
    return this.#subscription.ready;
  }

  /** Handlers that run now. */
  get running(): number {
    return this.#running.size;
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

  async #close({ drain = true, timeoutMs = 30_000 }: CloseOptions): Promise<void> {
    this.#queue = [];
    this.#head = 0;
    this.#subscription.cancel();
    const deadline = Date.now() + timeoutMs;
    if (drain && this.#running.size > 0) {
      await atMost(timeoutMs, new Promise<void>((resolve) => (this.#whenIdle = resolve)));
    }
    for (const delivery of this.#running) {
      delivery.abort(new InvalidState("The consumer is closed."));
      if (delivery.isHeld) void delivery.release();
    }
    await atMost(Math.max(100, deadline - Date.now()), this.#subscription.finish());
    this.#subscription.abandon();
    this.#onClosed(this);
    this.#emit("end", undefined);
  }

  #deliver(deliveries: readonly Delivery[]): void {
    if (this.#closing !== undefined) return;
    this.#queue.push(...deliveries);
    this.#pump();
  }

  #pump(): void {
    while (this.#running.size < this.#concurrency) {
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
    this.#subscription.begin(delivery);
    let outcome: unknown;
    try {
      void delivery.body;
    } catch {
      void delivery.nack({ reason: "The body is not JSON." });
      return;
    }
    try {
      outcome = this.#handler(delivery as Delivery<T>, delivery);
    } catch (thrown) {
      this.#threw(delivery, thrown);
      return;
    }
    if (!isThenable(outcome)) {
      this.#returned(delivery, outcome);
      return;
    }
    this.#running.add(delivery);
    outcome.then(
      (value) => {
        this.#leave(delivery);
        this.#returned(delivery, value);
        this.#pump();
      },
      (thrown: unknown) => {
        this.#leave(delivery);
        this.#threw(delivery, thrown);
        this.#pump();
      },
    );
  }

  #returned(delivery: Delivery, value: unknown): void {
    if (!delivery.isHeld) return;
    if (value === undefined) {
      delivery.finish();
      return;
    }
    delivery.ack(value).catch((error: PostroadError) => {
      if (!delivery.isHeld) return;
      this.#failure(error, delivery);
      // It cannot be stored as asked. Followers must not be lost, so the work is not done; a result alone can be.
      if (value instanceof Done && value.publish.length > 0) void delivery.nack({ reason: error.message });
      else void delivery.ack();
    });
  }

  #threw(delivery: Delivery, thrown: unknown): void {
    if (!delivery.isHeld) return;
    if (thrown instanceof DeadLetter) void delivery.nack({ dead: true, reason: thrown.message });
    else if (thrown instanceof Retry) {
      void delivery.nack({
        reason: thrown.message,
        ...(thrown.delayMs === undefined ? {} : { delayMs: thrown.delayMs }),
      });
    } else void delivery.nack({ reason: reasonOf(thrown) });
  }

  #leave(delivery: Delivery): void {
    this.#running.delete(delivery);
    if (this.#running.size === 0) this.#whenIdle?.();
  }

  #ended(error: PostroadError | undefined): void {
    this.#queue = [];
    this.#head = 0;
    for (const delivery of this.#running) delivery.lose(leaseLost());
    if (this.#closing === undefined) {
      this.#closing = Promise.resolve();
      this.#onClosed(this);
      if (error !== undefined) this.#failure(error, undefined);
      this.#emit("end", error);
    }
  }

  #failure(error: PostroadError, message: Message | undefined): void {
    if (this.#listeners.error.size > 0) this.#emit("error", error, message);
    else
      this.#link.options.logger.error(`consumer of ${this.queue}: ${error.message}`, {
        code: error.code,
        message: message?.id,
      });
  }

  #emit<E extends keyof ConsumerEvents>(event: E, ...values: Parameters<ConsumerEvents[E]>): void {
    for (const listener of [...this.#listeners[event]])
      (listener as (...given: Parameters<ConsumerEvents[E]>) => void)(...values);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

function reasonOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message === "" ? thrown.name : thrown.message;
  return typeof thrown === "string" ? thrown : "The handler threw.";
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
