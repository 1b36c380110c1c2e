/** A group's numbers. The protocol has no watch for them, so they are asked for while somebody looks. */
import { asPostroadError, type PostroadError, QueueNotFound } from "../errors.js";
import { groupOf } from "../group.js";
import type { Link, Participant } from "../link.js";
import { fromWire } from "../protocol/case.js";
import type { GroupStats, StreamStats } from "../protocol/types.js";
import { type LiveStatus, type Readable, Shared, Store } from "./store.js";

export interface GroupView {
  readonly status: LiveStatus;
  readonly stats: GroupStats | undefined;
  readonly error: PostroadError | undefined;
}

const POLL_MS = 1_000;

export class LiveGroup implements Readable<GroupView>, Participant {
  readonly #store = new Store<GroupView>({ status: "loading", stats: undefined, error: undefined });
  readonly #shared: Shared;
  readonly #link: Link;
  readonly #stream: string;
  readonly #name: string;
  #isStarted = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(link: Link, stream: string, name: string, onStop: () => void) {
    this.#link = link;
    this.#stream = stream;
    this.#name = name;
    this.#shared = new Shared(
      () => {
        this.#isStarted = true;
        link.join(this);
        if (link.isOpen) void this.#poll();
      },
      () => {
        this.#isStarted = false;
        clearTimeout(this.#timer);
        link.leave(this);
        onStop();
      },
    );
  }

  get(): GroupView {
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

  opened(): void {
    void this.#poll();
  }

  lost(): void {
    clearTimeout(this.#timer);
    if (this.#store.get().status === "live") this.#store.set({ status: "stale" });
  }

  ended(error: PostroadError): void {
    clearTimeout(this.#timer);
    this.#isStarted = false;
    this.#store.set({ status: "error", error });
  }

  async #poll(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      const answer = await this.#link.request({ op: "query", what: "stream", stream: this.#stream });
      const stats = groupOf(fromWire<{ stream: StreamStats }>(answer).stream, this.#name);
      if (stats === undefined) throw new QueueNotFound(`The stream "${this.#stream}" has no group "${this.#name}".`);
      if (this.#isStarted) this.#store.set({ status: "live", stats, error: undefined });
    } catch (thrown) {
      if (this.#isStarted) this.#store.set({ status: "error", error: asPostroadError(thrown) });
    }
    clearTimeout(this.#timer);
    if (this.#isStarted && this.#link.isOpen) this.#timer = setTimeout(() => void this.#poll(), POLL_MS);
  }
}
