import type { BodyType, DeliverBatch } from "../consume/parse.js";

/** A message as a reader sees it: nothing is leased, nothing is settled. */
export interface StreamMessage<T = unknown> {
  readonly id: string;
  readonly stream: string;
  /** Its place in the stream, from 0. To go on after it, read from the next one. */
  readonly offset: number;
  /** JSON as it was published, a string for `text`, a Uint8Array for `bytes`. @throws SyntaxError if it is not JSON after all. */
  readonly body: T;
  readonly type: BodyType;
  /** Takes the value of its key away: see {@link Stream.tombstone}. Its body is null, whatever `T` says. */
  readonly isTombstone: boolean;
  /** Length of the body in bytes. */
  readonly size: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly key: string | undefined;
  /** The topic it was published to, if it was one. */
  readonly topic: string | undefined;
  /** Milliseconds since the epoch. */
  readonly publishedAt: number;
  /** Whether messages before this one were no longer kept when the reader came to them. */
  readonly trimmed: boolean;
}

const NOT_REPLACED = Symbol("not replaced");
const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

/** Reads a message of a frame when it is asked for. */
export class ReadMessage<T> implements StreamMessage<T> {
  readonly stream: string;
  trimmed: boolean;
  #value: unknown = NOT_REPLACED;
  readonly #batch: DeliverBatch;
  readonly #index: number;

  constructor(batch: DeliverBatch, index: number, stream: string, trimmed: boolean) {
    this.#batch = batch;
    this.#index = index;
    this.stream = stream;
    this.trimmed = trimmed;
  }

  get id(): string {
    return this.#batch.id(this.#index);
  }
  get offset(): number {
    return this.#batch.sequence(this.#index);
  }
  get body(): T {
    return (this.#value === NOT_REPLACED ? this.#batch.body(this.#index) : this.#value) as T;
  }

  /** What a schema made of the body. */
  replaceBody(body: unknown): void {
    this.#value = body;
  }

  get isTombstone(): boolean {
    return this.#batch.isTombstone(this.#index);
  }
  get size(): number {
    return this.#batch.size(this.#index);
  }
  get type(): BodyType {
    return this.#batch.type(this.#index);
  }
  get headers(): Readonly<Record<string, string>> {
    return this.#batch.headers(this.#index) ?? NO_HEADERS;
  }
  get key(): string | undefined {
    return this.#batch.key(this.#index);
  }
  get topic(): string | undefined {
    return this.#batch.topic(this.#index);
  }
  get publishedAt(): number {
    return this.#batch.publishedAt(this.#index);
  }
}

/** All messages of a frame. */
export const messagesOf = <T>(batch: DeliverBatch, stream: string, trimmed: boolean): ReadMessage<T>[] =>
  Array.from({ length: batch.count }, (_, index) => new ReadMessage<T>(batch, index, stream, trimmed && index === 0));
