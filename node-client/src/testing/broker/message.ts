import type { Header } from "../../protocol/frame.js";
import { type FakeMessage, textOf } from "../wire.js";

/** A published message; `position` and `index` made its id. */
export interface TestMessage extends Omit<FakeMessage, "sequence" | "attempt"> {
  readonly position: number;
  readonly index: number;
  readonly expiresAt: number | undefined;
  readonly timeline: Header[];
  /** What its handlers said. */
  readonly logs: Header[];
}

export type EntryState = "ready" | "delayed" | "retrying" | "leased";

/** A message in one group, until it is settled. */
export interface Entry {
  readonly message: TestMessage;
  readonly sequence: number;
  state: EntryState;
  /** Attempts that have failed. */
  attempts: number;
  due: number | undefined;
  reason: string | undefined;
  consumer: string | undefined;
  progress: Header | undefined;
  /** Where it came from, in a dead-letter queue. */
  readonly origin: { readonly group: string; readonly sequence: number } | undefined;
}

/** How a message ended in a group. */
export interface Ending {
  readonly state: "done" | "dead" | "expired" | "purged" | "cancelled";
  readonly attempts: number;
  readonly reason: string | undefined;
  readonly result: unknown;
}

/** The body as a reader of JSON sees it. */
export function bodyOf({ type, body }: Pick<FakeMessage, "type" | "body">): unknown {
  if (type === "bytes") return btoa(Array.from(body, (byte) => String.fromCharCode(byte)).join(""));
  const text = textOf(body);
  if (type === "text") return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
