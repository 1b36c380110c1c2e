import type { PostroadError } from "../errors.js";
import type { Link } from "../link.js";
import { fromWire } from "../protocol/case.js";
import { type Header, isRecord } from "../protocol/frame.js";
import type { LogLine, MessageInfo } from "../protocol/types.js";
import { type LiveStatus, type Readable, Shared, Store } from "./store.js";
import { Watch } from "./watch.js";

export interface MessageView {
  readonly status: LiveStatus;
  readonly message: MessageInfo | undefined;
  /** What its handlers said, oldest first: the last 200 lines. */
  readonly logs: readonly LogLine[];
  /** Why it cannot be watched. */
  readonly error: PostroadError | undefined;
}

export const LOGS_MAX = 200;
export const NO_LOGS: readonly LogLine[] = Object.freeze([]);

/** The state of one message, followed while somebody subscribes. */
export class LiveMessage implements Readable<MessageView> {
  readonly #store = new Store<MessageView>({
    status: "loading",
    message: undefined,
    logs: NO_LOGS,
    error: undefined,
  });
  readonly #shared: Shared;

  constructor(link: Link, id: string, capability: string | undefined, onStop: () => void) {
    const take = ({ message, logs }: Header, known: readonly LogLine[]): void => {
      if (!isRecord(message) && !Array.isArray(logs)) return;
      this.#store.set({
        status: "live",
        ...(isRecord(message) ? { message: fromWire<MessageInfo>(message) } : {}),
        logs: Array.isArray(logs) ? joined(known, fromWire<LogLine[]>(logs)) : known,
        error: undefined,
      });
    };
    const watch = new Watch(link, {
      request: () => ({ message: id, ...(capability === undefined ? {} : { capability }) }),
      accepted: (header) => take(header, NO_LOGS),
      received: (header) => take(header, this.#store.get().logs),
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

/** The lines with those that came; what a broker that was started anew says replaces what it no longer knows. */
function joined(known: readonly LogLine[], more: readonly LogLine[]): readonly LogLine[] {
  const first = more[0]?.n ?? Number.POSITIVE_INFINITY;
  return [...known.filter(({ n }) => n < first), ...more].slice(-LOGS_MAX);
}
