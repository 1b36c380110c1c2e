import { InvalidState, LeaseLost, type PostroadError } from "../errors.js";
import { Done, type Follower, type LogLevel, type Message, type NackOptions } from "./message.js";
import type { BodyType, DeliverBatch } from "./parse.js";

/** What a delivery asks of its subscription. Each promise is settled by the broker's answer. */
export interface Holder {
  readonly queue: string;
  settle(delivery: Delivery, settlement: Settlement): Promise<void>;
  /** An ack that nobody waits for: the common case, without a promise. */
  ack(delivery: Delivery): void;
  extend(delivery: Delivery, leaseMs: number | undefined): Promise<void>;
  progress(delivery: Delivery, percent: number, note: string | undefined): void;
  log(delivery: Delivery, text: string, level: LogLevel): void;
}

export type Settlement =
  | { readonly kind: "ack" }
  | { readonly kind: "done"; readonly done: Done }
  | { readonly kind: "nack"; readonly options: NackOptions }
  | { readonly kind: "release" };

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});
const NOT_PARSED = Symbol("not parsed");

export class Delivery<T = unknown> implements Message<T> {
  readonly #batch: DeliverBatch;
  readonly #index: number;
  readonly #holder: Holder;
  #body: unknown = NOT_PARSED;
  #controller: AbortController | undefined;
  #lost: PostroadError | undefined;
  #isSettled = false;

  constructor(batch: DeliverBatch, index: number, holder: Holder) {
    this.#batch = batch;
    this.#index = index;
    this.#holder = holder;
  }

  get batch(): DeliverBatch {
    return this.#batch;
  }
  get number(): number {
    return this.#batch.number + this.#index;
  }
  get queue(): string {
    return this.#holder.queue;
  }
  get id(): string {
    return this.#batch.id(this.#index);
  }
  get type(): BodyType {
    return this.#batch.type(this.#index);
  }
  get isTombstone(): boolean {
    return this.#batch.isTombstone(this.#index);
  }
  get sequence(): number {
    return this.#batch.sequence(this.#index);
  }
  get attempt(): number {
    return this.#batch.attempt(this.#index);
  }
  get headers(): Readonly<Record<string, string>> {
    return this.#batch.headers(this.#index) ?? NO_HEADERS;
  }
  get key(): string | undefined {
    return this.#batch.key(this.#index);
  }
  get priority(): number {
    return this.#batch.priority(this.#index);
  }
  get topic(): string | undefined {
    return this.#batch.topic(this.#index);
  }
  get publishedAt(): number {
    return this.#batch.publishedAt(this.#index);
  }

  /** Whether it is this consumer's, and not settled yet. */
  get isHeld(): boolean {
    return !this.#isSettled && this.#lost === undefined;
  }

  get body(): T {
    if (this.#body === NOT_PARSED) this.#body = this.#batch.body(this.#index);
    return this.#body as T;
  }

  /** What a schema made of the body. */
  replaceBody(body: unknown): void {
    this.#body = body;
    this.#batch.isReplaced = true;
  }

  get signal(): AbortSignal {
    // Made when asked for: most handlers never look, and a controller costs as much as the rest of a delivery.
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#lost !== undefined) this.#controller.abort(this.#lost);
    }
    return this.#controller.signal;
  }

  ack(outcome?: unknown): Promise<void> {
    if (outcome === undefined) return this.#settle({ kind: "ack" });
    return this.#settle({ kind: "done", done: outcome instanceof Done ? outcome : new Done(outcome, []) });
  }

  /** Acks without waiting. */
  finish(): void {
    if (!this.isHeld) return;
    this.#leave();
    this.#holder.ack(this);
  }

  nack(options: NackOptions = {}): Promise<void> {
    return this.#settle({ kind: "nack", options });
  }

  release(): Promise<void> {
    return this.#settle({ kind: "release" });
  }

  extend(leaseMs?: number): Promise<void> {
    return this.isHeld ? this.#holder.extend(this, leaseMs) : rejected(this.#whyNot());
  }

  progress(percent: number, note?: string): Promise<void> {
    if (this.isHeld) this.#holder.progress(this, percent, note);
    return Promise.resolve();
  }

  log(text: string, { level = "info" }: { readonly level?: LogLevel } = {}): void {
    if (this.isHeld) this.#holder.log(this, String(text), level);
  }

  done({ result, publish = [] }: { readonly result?: unknown; readonly publish?: readonly Follower[] }): Done {
    return new Done(result, publish);
  }

  /** It is settled together with others. */
  join(): void {
    this.#leave();
  }

  /** Its settlement was refused and had no effect: it can be settled in another way. */
  unsettle(): void {
    if (!this.#isSettled) return;
    this.#isSettled = false;
    this.#batch.held++;
  }

  /** It is no longer this consumer's; false if that was known. */
  lose(why: PostroadError): boolean {
    if (this.#lost !== undefined) return false;
    if (!this.#isSettled) this.#batch.held--;
    this.#lost = why;
    this.#controller?.abort(why);
    return true;
  }

  /** Tells the handler to stop, while the lease is still held. */
  abort(why: PostroadError): void {
    void this.signal;
    this.#controller?.abort(why);
  }

  #settle(settlement: Settlement): Promise<void> {
    if (!this.isHeld) return rejected(this.#whyNot());
    this.#leave();
    return this.#holder.settle(this, settlement);
  }

  #leave(): void {
    this.#isSettled = true;
    this.#batch.held--;
    // Read again if it is asked for again; who waits for an answer need not keep it.
    if (!this.#batch.isReplaced) this.#body = NOT_PARSED;
  }

  #whyNot(): PostroadError {
    return this.#lost ?? new InvalidState("This delivery was settled already.");
  }
}

export const leaseLost = (reason?: string): LeaseLost =>
  new LeaseLost(reason === undefined ? "The lease had ended." : `The lease was revoked: ${reason}`);

function rejected(error: PostroadError): Promise<void> {
  const promise = Promise.reject<void>(error);
  // Settling too late is reported by an event as well; not looking at it must not end the process.
  promise.catch(() => {});
  return promise;
}
