import type { Link } from "./link.js";
import type { RequestOptions } from "./pending.js";
import type { Header } from "./protocol/frame.js";
import type { Publisher } from "./publish/publisher.js";

export type Ask = (what: string, args?: object, options?: RequestOptions) => Promise<Header>;

/** What queues, streams and topics need of their client. @internal */
export interface Internals {
  readonly link: Link;
  readonly publisher: Publisher;
  readonly query: Ask;
  readonly operate: Ask;
  /** What must be ended before the connection is. */
  readonly closers: Set<(options: { drain: boolean; timeoutMs: number }) => Promise<void>>;
  /** Watches of calls that are open, and who waits to open one. */
  readonly calls: { open: number; readonly waiting: (() => void)[] };
}

/** The `count` of an answer. */
export const countOf = ({ count }: Header): { count: number } => ({ count: typeof count === "number" ? count : 0 });
