/**
 * A stream by `for await`, or by a callback. What has come and was not taken is bounded: beyond that the reader leaves
 * the server and reads again from where it was, so that a slow loop holds up nothing else on the connection.
 */
import { asPostroadError, type PostroadError } from "../errors.js";
import type { Internals } from "../internals.js";
import type { ReadFrom } from "../protocol/types.js";
import type { InvalidMessage } from "../schema/invalid.js";
import type { StandardSchema } from "../schema/standard.js";
import { Feed } from "./feed.js";
import { messagesOf, type ReadMessage, type StreamMessage } from "./message.js";
import { Sieve } from "./sieve.js";

export interface ReadOptions<T = unknown> {
  /** Where to begin. @defaultValue `"latest"` */
  readonly from?: ReadFrom;
  /** Instead of `for await`: called with what has come, in order; a promise that it returns is awaited before the next call. */
  readonly onMessages?: (messages: readonly StreamMessage<T>[]) => unknown;
  /** Called when messages before this offset were no longer kept: those in between are lost to this reader. */
  readonly onTrimmed?: (earliest: number) => void;
  /**
   * Called for a message that the definition's schema refuses: it is left out, since a reader settles nothing.
   * What this throws ends the reader, e.g. the error itself.
   *
   * @defaultValue a warning in the log
   */
  readonly onInvalid?: (error: InvalidMessage, message: StreamMessage<unknown>) => void;
  readonly signal?: AbortSignal;
}

/** What may wait to be taken; a frame may go beyond it. */
const BUFFER_MAX = { messages: 4_096, bytes: 8 * 1024 * 1024 } as const;
const CHUNK = 1_000;

export class Reader<T = unknown> implements AsyncIterableIterator<StreamMessage<T>> {
  readonly stream: string;
  /** Resolved when the reader was closed; rejected when it ended by an error. */
  readonly closed: Promise<void>;
  readonly #feed: Feed;
  readonly #sieve: Sieve<T>;
  readonly #options: ReadOptions<T>;
  readonly #waiting: { resolve(result: IteratorResult<StreamMessage<T>>): void; reject(error: unknown): void }[] = [];
  #buffer: ReadMessage<T>[] = [];
  #head = 0;
  #bytes = 0;
  #trimmed: number | undefined;
  #isOver = false;
  #error: PostroadError | undefined;
  #onOver: () => void = () => {};
  #wake: (() => void) | undefined;

  /** @internal */
  constructor(
    { link, closers }: Internals,
    stream: string,
    options: ReadOptions<T>,
    schema: StandardSchema<unknown> | undefined,
  ) {
    this.stream = stream;
    this.#options = options;
    const { onInvalid = (error) => link.options.logger.warn(error.message, { stream }) } = options;
    this.#sieve = new Sieve<T>(schema, {
      taken: (messages) => this.#take(messages),
      refused: (error, message) => {
        try {
          if (!this.#isOver) onInvalid(error, message);
        } catch (thrown) {
          this.#over(asPostroadError(thrown));
        }
      },
    });
    this.#feed = new Feed(link, stream, options.from ?? "latest", {
      messages: (batch, trimmed) => {
        if (trimmed !== undefined) this.#cut(trimmed);
        this.#sieve.add(messagesOf<T>(batch, stream, trimmed !== undefined));
        if (this.#sieve.count >= BUFFER_MAX.messages) this.#feed.pause();
      },
      live: () => {},
      stale: () => {},
      failed: (error) => this.#sieve.after(() => this.#over(error)),
    });
    const close = (): Promise<void> => this.close();
    const onAbort = (): void => void this.close();
    this.closed = new Promise((resolve, reject) => {
      this.#onOver = () => {
        closers.delete(close);
        options.signal?.removeEventListener("abort", onAbort);
        if (this.#error === undefined) resolve();
        else reject(this.#error);
      };
    });
    this.closed.catch(() => {});
    closers.add(close);
    options.signal?.addEventListener("abort", onAbort, { once: true });
    if (options.signal?.aborted === true) this.#over(undefined);
    else this.#feed.start();
    if (options.onMessages !== undefined) void this.#call(options.onMessages);
  }

  /** The offset that would be read next: after a pause of the program, `from: { offset }` goes on here. Undefined until the server has said where it begins. */
  get offset(): number | undefined {
    return this.#buffer[this.#head]?.offset ?? this.#sieve.first ?? this.#feed.next;
  }

  /** The earliest offset there still was, when messages were last found to be gone. */
  get trimmed(): number | undefined {
    return this.#trimmed;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<StreamMessage<T>>> {
    const message = this.#shift();
    if (message !== undefined) return Promise.resolve({ done: false, value: message });
    return new Promise((resolve, reject) => {
      if (!this.#isOver) this.#waiting.push({ resolve, reject });
      else if (this.#error === undefined) resolve({ done: true, value: undefined });
      else reject(this.#error);
    });
  }

  async return(): Promise<IteratorResult<StreamMessage<T>>> {
    this.#buffer = [];
    this.#head = 0;
    this.#over(undefined);
    return { done: true, value: undefined };
  }

  /** Ends the loop. */
  async close(): Promise<void> {
    await this.return();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #take(messages: ReadMessage<T>[]): void {
    if (this.#isOver) return;
    for (const message of messages) {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) {
        this.#buffer.push(message);
        this.#bytes += message.size;
      } else waiting.resolve({ done: false, value: message });
    }
    if (this.#buffer.length - this.#head >= BUFFER_MAX.messages || this.#bytes >= BUFFER_MAX.bytes) this.#feed.pause();
    else if (messages.length === 0) this.#drained([]);
    this.#wake?.();
  }

  #shift(): ReadMessage<T> | undefined {
    const message = this.#buffer[this.#head];
    if (message === undefined) return undefined;
    this.#head++;
    this.#drained([message]);
    return message;
  }

  /** Reads on when little is left, so that the loop need not wait. */
  #drained(taken: readonly ReadMessage<T>[]): void {
    for (const { size } of taken) this.#bytes -= size;
    if (this.#head === this.#buffer.length || this.#head > BUFFER_MAX.messages) {
      this.#buffer = this.#buffer.slice(this.#head);
      this.#head = 0;
    }
    if (this.#buffer.length - this.#head < BUFFER_MAX.messages / 4 && this.#bytes < BUFFER_MAX.bytes / 4)
      this.#feed.resume();
  }

  #cut(earliest: number): void {
    this.#trimmed = earliest;
    this.#options.onTrimmed?.(earliest);
  }

  async #call(onMessages: (messages: readonly StreamMessage<T>[]) => unknown): Promise<void> {
    try {
      while (!this.#isOver) {
        const messages = this.#buffer.slice(this.#head, this.#head + CHUNK);
        if (messages.length === 0) {
          await new Promise<void>((resolve) => (this.#wake = resolve));
          continue;
        }
        this.#head += messages.length;
        this.#drained(messages);
        await onMessages(messages);
      }
    } catch (thrown) {
      this.#over(asPostroadError(thrown));
    }
  }

  #over(error: PostroadError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#error = error;
    this.#feed.stop();
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (error === undefined) resolve({ done: true, value: undefined });
      else reject(error);
    }
    this.#wake?.();
    this.#onOver();
  }
}
