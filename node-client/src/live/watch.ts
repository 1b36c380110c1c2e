/** One `watch` at the server (docs/protocol.md §7), set up again after each reconnect. */
import { errorFrom, type PostroadError } from "../errors.js";
import type { Link, Participant } from "../link.js";
import type { Frame, Header } from "../protocol/frame.js";
import type { Opening } from "../session/session.js";

export interface Watcher {
  /** The fields of the request: what to watch, and from where. `known` is false if the server is another one than before. */
  request(known: boolean): Header;
  accepted(header: Header): void;
  received(header: Header): void;
  stale(): void;
  failed(error: PostroadError): void;
}

const RETRY_MS = 2_000;

export class Watch implements Participant {
  readonly #link: Link;
  readonly #watcher: Watcher;
  #isStarted = false;
  #sub: number | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(link: Link, watcher: Watcher) {
    this.#link = link;
    this.#watcher = watcher;
  }

  start(): void {
    const { status, lastError } = this.#link;
    if (status === "closed") {
      if (lastError !== undefined) this.#watcher.failed(lastError);
      return;
    }
    this.#isStarted = true;
    this.#link.join(this);
    if (this.#link.isOpen) this.#watch(true);
  }

  stop(): void {
    this.#isStarted = false;
    this.#link.leave(this);
    this.#leave();
  }

  /** Asks anew, with what the watcher wants now. */
  restart(): void {
    this.#leave();
    if (this.#isStarted && this.#link.isOpen) this.#watch(true);
  }

  opened({ known }: Opening): void {
    this.#watch(known);
  }

  lost(): void {
    this.#forget();
    this.#watcher.stale();
  }

  ended(error: PostroadError): void {
    this.#forget();
    this.#watcher.failed(error);
  }

  #watch(known: boolean): void {
    this.#forget();
    const sub = this.#link.route(({ header }: Frame) => {
      if (header["op"] === "end") this.#failed(sub, errorFrom(header));
      else this.#watcher.received(header);
    });
    this.#sub = sub;
    const id = this.#link.requests.nextId();
    this.#link.requests.expect(id, {
      ok: (header) => this.#sub === sub && this.#watcher.accepted(header),
      failed: (error) => this.#failed(sub, error),
    });
    this.#link.send({ op: "watch", id, sub, ...this.#watcher.request(known) });
  }

  #failed(sub: number, error: PostroadError): void {
    if (this.#sub !== sub) return;
    this.#forget();
    if (error.retryable) this.#watcher.stale();
    else this.#watcher.failed(error);
    // A queue comes into being with its first message, so its absence may end.
    if (!error.retryable && error.code !== "queue-not-found") return;
    this.#retryTimer = setTimeout(() => this.#link.isOpen && this.#watch(true), RETRY_MS);
  }

  #leave(): void {
    if (this.#sub !== undefined) this.#link.send({ op: "unwatch", sub: this.#sub });
    this.#forget();
  }

  #forget(): void {
    clearTimeout(this.#retryTimer);
    if (this.#sub !== undefined) this.#link.unroute(this.#sub);
    this.#sub = undefined;
  }
}
