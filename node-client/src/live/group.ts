/** A group's numbers, followed by many with one watch. */
import type { PostroadError } from "../errors.js";
import type { Link } from "../link.js";
import { fromWire } from "../protocol/case.js";
import { type Header, isRecord } from "../protocol/frame.js";
import type { GroupStats } from "../protocol/types.js";
import { type LiveStatus, type Readable, Shared, Store } from "./store.js";
import { Watch } from "./watch.js";

export interface GroupView {
  readonly status: LiveStatus;
  readonly stats: GroupStats | undefined;
  readonly error: PostroadError | undefined;
}

export class LiveGroup implements Readable<GroupView> {
  readonly #store = new Store<GroupView>({ status: "loading", stats: undefined, error: undefined });
  readonly #shared: Shared;

  constructor(link: Link, stream: string, name: string, onStop: () => void) {
    const watch = new Watch(link, {
      request: () => ({ stream, group: name }),
      accepted: (header) => this.#take(header),
      received: (header) => header["op"] === "state" && this.#take(header),
      stale: () => this.#store.get().stats !== undefined && this.#store.set({ status: "stale" }),
      failed: (error) => this.#store.set({ status: "error", error }),
    });
    this.#shared = new Shared(
      () => watch.start(),
      () => {
        watch.stop();
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

  #take(header: Header): void {
    const { queue } = header;
    if (isRecord(queue)) {
      const stats = fromWire<GroupStats & { name: string }>(queue);
      this.#store.set({
        status: "live",
        stats: { ...stats, name: stats.name.slice(stats.name.indexOf("/") + 1) },
        error: undefined,
      });
    }
  }
}
