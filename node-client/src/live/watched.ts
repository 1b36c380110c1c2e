/** Something that many follow with one watch, while somebody subscribes. */
import type { PostroadError } from "../errors.js";
import type { Link } from "../link.js";
import type { Header } from "../protocol/frame.js";
import { type LiveStatus, type Readable, Shared, Store } from "./store.js";
import { Watch } from "./watch.js";

export interface WatchedView {
  readonly status: LiveStatus;
  /** Why it cannot be watched. */
  readonly error: PostroadError | undefined;
}

export interface Subject<V extends WatchedView> {
  /** What to watch. */
  readonly request: Header;
  /** What is shown before the first answer. */
  readonly empty: Omit<V, keyof WatchedView>;
  /**
   * What a frame changes; undefined for one that says nothing about it.
   *
   * @param view - what is known; what is `empty` for the answer to a new watch, which says everything.
   */
  read(header: Header, view: Omit<V, keyof WatchedView>): Partial<V> | undefined;
}

export class Watched<V extends WatchedView> implements Readable<V> {
  readonly #store: Store<V>;
  readonly #shared: Shared;
  #isKnown = false;

  constructor(link: Link, subject: Subject<V>, onStop: () => void) {
    const status = (status: LiveStatus, error: PostroadError | undefined): Partial<V> =>
      ({ status, error }) as Partial<V>;
    this.#store = new Store<V>({ ...subject.empty, status: "loading", error: undefined } as V);
    const take = (header: Header, view: Omit<V, keyof WatchedView>): void => {
      const change = subject.read(header, view);
      if (change === undefined) return;
      this.#isKnown = true;
      this.#store.set({ ...change, ...status("live", undefined) });
    };
    const watch = new Watch(link, {
      request: () => subject.request,
      accepted: (header) => take(header, subject.empty),
      received: (header) => header["op"] === "state" && take(header, this.#store.get()),
      stale: () => this.#store.set(status(this.#isKnown ? "stale" : "loading", undefined)),
      failed: (error) => this.#store.set(status("error", error)),
    });
    this.#shared = new Shared(
      () => watch.start(),
      () => {
        watch.stop();
        onStop();
      },
    );
  }

  get(): V {
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
}
