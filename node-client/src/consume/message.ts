import type { PublishOptions } from "../publish/attributes.js";

export type LogLevel = "debug" | "info" | "warn" | "error";

/** A further message that is published together with an ack, or not at all. */
export type Follower = Omit<PublishOptions, "signal"> & { readonly body: unknown } & (
    | { readonly queue: string; readonly stream?: never; readonly topic?: never }
    | { readonly stream: string; readonly queue?: never; readonly topic?: never }
    | { readonly topic: string; readonly queue?: never; readonly stream?: never }
  );

export interface NackOptions {
  /** Comes back after that long. @defaultValue the queue's backoff */
  readonly delayMs?: number;
  /** Shown in the message's timeline. */
  readonly reason?: string;
  /** Goes to the dead-letter queue at once. */
  readonly dead?: boolean;
}

/** What {@link Message.done} returns: to be returned by the handler. */
export class Done {
  readonly result: unknown;
  readonly publish: readonly Follower[];

  constructor(result: unknown, publish: readonly Follower[]) {
    this.result = result;
    this.publish = publish;
  }
}

/** What the `done` of a batch handler's context returns: to be returned by the handler. */
export class BatchDone {
  /** One for each message, in their order; none if it is empty. */
  readonly results: readonly unknown[];
  readonly publish: readonly Follower[];

  constructor(results: readonly unknown[], publish: readonly Follower[]) {
    this.results = results;
    this.publish = publish;
  }
}

/**
 * A message that this consumer holds under a lease, which the client renews.
 *
 * In a handler, returning acks and throwing nacks; the methods are for other cases, and for the iterator.
 */
export interface Message<T = unknown> {
  readonly id: string;
  /** The queue it came from, or `<stream>/<group>`. */
  readonly queue: string;
  /** JSON as it was published, a string for `text`, a Uint8Array for `bytes`. */
  readonly body: T;
  readonly type: "json" | "text" | "bytes";
  /** In a stream: takes the value of its key away, see {@link Stream.tombstone}. Its body is null, whatever `T` says. */
  readonly isTombstone: boolean;
  /** Its place in the queue; of a stream's group, the offset. */
  readonly sequence: number;
  /** From 1. */
  readonly attempt: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly key: string | undefined;
  readonly priority: number;
  /** The topic it was published to, if it was one. */
  readonly topic: string | undefined;
  /** Milliseconds since the epoch. */
  readonly publishedAt: number;
  /** Aborted when the lease is lost or revoked, or the consumer gives up on the handler. */
  readonly signal: AbortSignal;
  /**
   * Done. Resolved when that is durable.
   *
   * @param outcome - a result to store, or what {@link Message.done} returned.
   * @throws LeaseLost if the lease had ended, AlreadySettled if it was settled before.
   */
  ack(outcome?: unknown): Promise<void>;
  /** Not done: counts an attempt. */
  nack(options?: NackOptions): Promise<void>;
  /** Given back at once, without a counted attempt. */
  release(): Promise<void>;
  /** Renews the lease now; only needed for another length than the queue's. */
  extend(leaseMs?: number): Promise<void>;
  /** Shown to watchers; not durable. `percent` is 0 to 100, `note` at most 200 characters. */
  progress(percent: number, note?: string): Promise<void>;
  /**
   * Shown to watchers of the message, and kept with it: the last 200 lines and 64 KiB, until the broker restarts.
   * Lines are sent together, at most 50 ms after they were said, and before the message's ack.
   *
   * @param text - one line; at most 2,000 characters of it are sent.
   */
  log(text: string, options?: { readonly level?: LogLevel }): void;
  /** An ack with a result and further publishes: all of it becomes one record, or nothing does. */
  done(outcome: { readonly result?: unknown; readonly publish?: readonly Follower[] }): Done;
}

/** Thrown by a handler: try again, after `delayMs` if given. */
export class Retry extends Error {
  override readonly name = "Retry";
  readonly delayMs: number | undefined;

  constructor({
    delayMs,
    reason,
    cause,
  }: { readonly delayMs?: number; readonly reason?: string; readonly cause?: unknown } = {}) {
    super(reason ?? "retry", { cause });
    this.delayMs = delayMs;
  }
}

/** Thrown by a handler: trying again is of no use. */
export class DeadLetter extends Error {
  override readonly name = "DeadLetter";

  constructor(reason: string, options?: { readonly cause?: unknown }) {
    super(reason, options);
  }
}
