import type { PostroadError } from "../errors.js";
import type { Link } from "../link.js";
import { fromWire } from "../protocol/case.js";
import { type Header, isRecord } from "../protocol/frame.js";
import type { MessageInfo } from "../protocol/types.js";
import { type LiveStatus, type Readable, Shared, Store } from "./store.js";
import { Watch } from "./watch.js";

export interface MessageView {
  readonly status: LiveStatus;
  readonly message: MessageInfo | undefined;
  /** Why it cannot be watched. */
  readonly error: PostroadError | undefined;
}

/** The state of one message, followed while somebody subscribes. */
export class LiveMessage implements Readable<MessageView> {
  readonly #store = new Store<MessageView>({ status: "loading", message: undefined, error: undefined });
  readonly #shared: Shared;

  constructor(link: Link, id: string, capability: string | undefined, onStop: () => void) {
    const take = (header: Header): void => {
      if (isRecord(header["message"]))
        this.#store.set({ status: "live", message: fromWire<MessageInfo>(header["message"]), error: undefined });
    };
    const watch = new Watch(link, {
      request: () => ({ message: id, ...(capability === undefined ? {} : { capability }) }),
      accepted: take,
      received: take,
      stale: () => this.#store.set({ status: this.#store.get().message === undefined ? "loading" : "stale" }),
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

  get(): MessageView {
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
