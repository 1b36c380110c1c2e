import { preview } from "../../format/body.js";
import type { StreamMessage } from "../../live/types.js";

/** A message of a stream as the table shows it, whether it came live or by a page. */
export interface StreamRow {
  readonly offset: number;
  readonly id: string;
  readonly publishedAt: number;
  readonly type: "json" | "text" | "bytes";
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string>> | null;
  readonly key: string | null;
}

/** Live bodies are parsed when they are looked at: what says it is JSON and is not is shown as text would be. */
export function rowOf(message: StreamMessage): StreamRow {
  const { offset, id, publishedAt, type, headers } = message;
  let body: unknown;
  try {
    body = message.body instanceof Uint8Array ? `${message.size} bytes` : message.body;
  } catch {
    body = "not JSON";
  }
  return { offset, id, publishedAt, type, body, headers, key: message.key ?? null };
}

/** One line for the table. */
export const rowPreview = (row: StreamRow): string => preview(row.body ?? null);
