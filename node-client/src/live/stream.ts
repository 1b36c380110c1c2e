/** The newest messages of a stream, followed by many with one reader. A slow page loses the oldest, never memory. */
import type { PostroadError } from "../errors.js";
import type { Link } from "../link.js";
import type { ReadFrom } from "../protocol/types.js";
import { Feed } from "../read/feed.js";
import { messagesOf, type StreamMessage } from "../read/message.js";
import { Sieve } from "../read/sieve.js";
import type { InvalidMessage } from "../schema/invalid.js";
import type { StandardSchema } from "../schema/standard.js";
import { type LiveStatus, type Readable, Shared, Store } from "./store.js";

export interface StreamView {
  readonly status: LiveStatus;
  /** Oldest first, at most as many as were asked for. */
  readonly messages: readonly StreamMessage[];
  /** The earliest offset there still was, if messages in between were no longer kept. */
  readonly trimmed: number | undefined;
  /** How many messages the definition's schema has refused: they are left out. */
  readonly invalid: number;
  /** Why, of the last of them. */
  readonly lastInvalid: InvalidMessage | undefined;
  readonly error: PostroadError | undefined;
}

/** Messages are shown at most this often. */
const NOTIFY_MS = 50;
/** A stream comes into being with its first message, so its absence may end; and another data set is begun anew. */
const RETRY_MS = 2_000;

export class LiveStream implements Readable<StreamView> {
  readonly #store = new Store<StreamView>({
    ...{ status: "loading", messages: [], trimmed: undefined },
    ...{ invalid: 0, lastInvalid: undefined, error: undefined },
  });
  readonly #shared: Shared;
  readonly #link: Link;
  readonly #name: string;
  readonly #from: ReadFrom;
  readonly #keep: number;
  readonly #schema: StandardSchema<unknown> | undefined;
  #feed: Feed | undefined;
  #buffer: StreamMessage[] = [];
  #notifyTimer: ReturnType<typeof setTimeout> | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    link: Link,
    name: string,
    from: ReadFrom,
    keep: number,
    schema: StandardSchema<unknown> | undefined,
    onStop: () => void,
  ) {
    this.#link = link;
    this.#name = name;
    this.#from = from;
    this.#keep = keep;
    this.#schema = schema;
    this.#shared = new Shared(
      () => this.#start(),
      () => {
        clearTimeout(this.#notifyTimer);
        clearTimeout(this.#retryTimer);
        this.#feed?.stop();
        onStop();
      },
    );
  }

  get(): StreamView {
    return this.#store.get();
  }

  subscribe(listener: () => void): () => void {
    const unlisten = this.#store.listen(listener);
    const release = this.#shared.retain();
    return () => {
      unlisten();
      release();
    };
  }

  #start(): void {
    this.#buffer = [];
    const sieve = new Sieve<unknown>(this.#schema, {
      taken: (messages) => {
        this.#buffer.push(...messages);
        if (this.#buffer.length > this.#keep) this.#buffer = this.#buffer.slice(-this.#keep);
        this.#notifySoon();
      },
      refused: (error) => this.#store.set({ invalid: this.#store.get().invalid + 1, lastInvalid: error }),
    });
    this.#feed = new Feed(this.#link, this.#name, this.#from, {
      messages: (batch, trimmed) => {
        if (trimmed !== undefined) this.#store.set({ trimmed });
        sieve.add(messagesOf(batch, this.#name, trimmed !== undefined));
      },
      live: () => this.#store.set({ status: "live", error: undefined }),
      stale: () => this.#store.set({ status: this.#store.get().status === "loading" ? "loading" : "stale" }),
      failed: (error) => {
        this.#store.set({ status: "error", error });
        if (error.code === "queue-not-found" || error.code === "gone")
          this.#retryTimer = setTimeout(() => this.#start(), RETRY_MS);
      },
    });
    this.#feed.start();
  }

  #notifySoon(): void {
    this.#notifyTimer ??= setTimeout(() => {
      this.#notifyTimer = undefined;
      this.#store.set({ messages: Object.freeze([...this.#buffer]) });
    }, NOTIFY_MS);
  }
}
