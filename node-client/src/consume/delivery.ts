import { InvalidState, LeaseLost, type PostroadError } from "../errors.js";
import { Done, type Follower, type Message, type NackOptions } from "./message.js";
import type { RawDelivery } from "./parse.js";

/** What a delivery asks of its subscription. Each promise is settled by the broker's answer. */
export interface Holder {
  settle(delivery: Delivery, settlement: Settlement): Promise<void>;
  extend(delivery: Delivery, leaseMs: number | undefined): Promise<void>;
  progress(delivery: Delivery, percent: number, note: string | undefined): void;
}

export type Settlement =
  | { readonly kind: "ack" }
  | { readonly kind: "done"; readonly done: Done }
  | { readonly kind: "nack"; readonly options: NackOptions }
  | { readonly kind: "release" };

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

export class Delivery<T = unknown> implements Message<T> {
  readonly queue: string;
  readonly #raw: RawDelivery;
  readonly #holder: Holder;
  #parsed: { readonly body: unknown } | undefined;
  #controller: AbortController | undefined;
  #lost: PostroadError | undefined;
  #isSettled = false;

  constructor(queue: string, raw: RawDelivery, holder: Holder) {
    this.queue = queue;
    this.#raw = raw;
    this.#holder = holder;
    this.#parsed = raw.parsed;
  }

  get number(): number {
    return this.#raw.number;
  }
  get id(): string {
    return this.#raw.id;
  }
  get type(): RawDelivery["type"] {
    return this.#raw.type;
  }
  get sequence(): number {
    return this.#raw.sequence;
  }
  get attempt(): number {
    return this.#raw.attempt;
  }
  get headers(): Readonly<Record<string, string>> {
    return this.#raw.headers ?? NO_HEADERS;
  }
  get key(): string | undefined {
    return this.#raw.key;
  }
  get priority(): number {
    return this.#raw.priority;
  }
  get publishedAt(): number {
    return this.#raw.publishedAt;
  }

  /** Whether it is this consumer's, and not settled yet. */
  get isHeld(): boolean {
    return !this.#isSettled && this.#lost === undefined;
  }

  get body(): T {
    if (this.#parsed === undefined) {
      const { raw, type } = this.#raw;
      this.#parsed = { body: type === "json" ? (JSON.parse(raw as string) as unknown) : raw };
    }
    return this.#parsed.body as T;
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
    if (outcome === undefined) return this.settle({ kind: "ack" });
    return this.settle({ kind: "done", done: outcome instanceof Done ? outcome : new Done(outcome, []) });
  }

  nack(options: NackOptions = {}): Promise<void> {
    return this.settle({ kind: "nack", options });
  }

  release(): Promise<void> {
    return this.settle({ kind: "release" });
  }

  extend(leaseMs?: number): Promise<void> {
    return this.isHeld ? this.#holder.extend(this, leaseMs) : rejected(this.#whyNot());
  }

  progress(percent: number, note?: string): Promise<void> {
    if (this.isHeld) this.#holder.progress(this, percent, note);
    return Promise.resolve();
  }

  done({ result, publish = [] }: { readonly result?: unknown; readonly publish?: readonly Follower[] }): Done {
    return new Done(result, publish);
  }

  settle(settlement: Settlement): Promise<void> {
    if (!this.isHeld) return rejected(this.#whyNot());
    this.#isSettled = true;
    return this.#holder.settle(this, settlement);
  }

  /** Its settlement was refused and had no effect: it can be settled in another way. */
  unsettle(): void {
    this.#isSettled = false;
  }

  /** It is no longer this consumer's. */
  lose(why: PostroadError): void {
    if (this.#lost !== undefined) return;
    this.#lost = why;
    this.#controller?.abort(why);
  }

  /** Tells the handler to stop, while the lease is still held. */
  abort(why: PostroadError): void {
    void this.signal;
    this.#controller?.abort(why);
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
