/**
 * One stream followed at the server (docs/protocol.md §5.2): read again from the next offset after a reconnect, and
 * after a pause. What it hands on has no gap and no repetition, except what retention took, which is told.
 */
import type { DeliverBatch } from "../consume/parse.js";
import { parseMessages } from "../consume/parse.js";
import { errorFrom, Gone, InvalidState, type PostroadError } from "../errors.js";
import type { Link, Participant } from "../link.js";
import type { Frame, Header } from "../protocol/frame.js";
import type { ReadFrom } from "../protocol/types.js";
import type { Opening } from "../session/session.js";

export interface FeedEvents {
  /** @param trimmed - what was before this offset is no longer kept. */
  messages(batch: DeliverBatch, trimmed: number | undefined): void;
  live(): void;
  stale(): void;
  /** It has ended; a missing stream may be tried again by {@link Feed.start}. */
  failed(error: PostroadError): void;
}

const RETRY_MS = 1_000;

export class Feed implements Participant {
  /** The offset that comes next, once that is known. */
  next: number | undefined;
  readonly #link: Link;
  readonly #stream: string;
  readonly #from: ReadFrom;
  readonly #events: FeedEvents;
  #sub: number | undefined;
  #isStarted = false;
  #isPaused = false;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(link: Link, stream: string, from: ReadFrom, events: FeedEvents) {
    this.#link = link;
    this.#stream = stream;
    this.#from = from;
    this.#events = events;
  }

  start(): void {
    if (this.#link.status === "closed") {
      queueMicrotask(() => this.#events.failed(this.#link.lastError ?? new InvalidState("The client is closed.")));
      return;
    }
    this.#isStarted = true;
    this.#link.join(this);
    if (this.#link.isOpen) this.#read();
  }

  stop(): void {
    this.#isStarted = false;
    this.#link.leave(this);
    this.#cancel();
  }

  /** Takes no more: the server is told, and what is on its way is read again later. */
  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#cancel();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#isStarted && this.#link.isOpen) this.#read();
  }

  opened({ known }: Opening): void {
    if (!known && this.next !== undefined) {
      this.#end(new Gone("The broker now serves another data set: offsets of the old one mean nothing there."));
      return;
    }
    this.#read();
  }

  lost(): void {
    this.#forget();
    this.#events.stale();
  }

  ended(error: PostroadError): void {
    this.#end(error);
  }

  #read(): void {
    if (this.#isPaused) return;
    this.#forget();
    const sub = this.#link.route((frame) => this.#received(sub, frame));
    this.#sub = sub;
    const id = this.#link.requests.nextId();
    this.#link.requests.expect(id, {
      ok: (header) => this.#accepted(sub, header),
      failed: (error) => this.#failed(sub, error),
    });
    const from = this.next === undefined ? this.#from : { offset: this.next };
    this.#link.send({ op: "read", id, sub, stream: this.#stream, from });
  }

  #accepted(sub: number, { offset }: Header): void {
    if (this.#sub !== sub) return;
    if (typeof offset === "number") this.next ??= offset;
    this.#events.live();
  }

  #received(sub: number, frame: Frame): void {
    const { header } = frame;
    if (this.#sub !== sub) return;
    if (header["op"] === "end") this.#failed(sub, errorFrom(header));
    if (header["op"] !== "messages") return;
    let trimmed = typeof header["trimmed"] === "number" ? header["trimmed"] : undefined;
    for (const batch of parseMessages(frame)) {
      this.next = batch.sequence(batch.count - 1) + 1;
      this.#events.messages(batch, trimmed);
      trimmed = undefined;
    }
  }

  #failed(sub: number, error: PostroadError): void {
    if (this.#sub !== sub) return;
    this.#forget();
    if (!error.retryable) {
      this.#end(error);
      return;
    }
    this.#events.stale();
    this.#retryTimer = setTimeout(() => this.#link.isOpen && this.#read(), RETRY_MS);
  }

  #end(error: PostroadError): void {
    this.#isStarted = false;
    this.#link.leave(this);
    this.#forget();
    this.#events.failed(error);
  }

  #cancel(): void {
    if (this.#sub !== undefined) this.#link.send({ op: "cancel", sub: this.#sub });
    this.#forget();
  }

  #forget(): void {
    clearTimeout(this.#retryTimer);
    if (this.#sub !== undefined) this.#link.unroute(this.#sub);
    this.#sub = undefined;
  }
}
