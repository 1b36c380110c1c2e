import type { StartFrom } from "../live/types.js";
import { getJson } from "./http.js";

/** A message of a stream, as one page shows it. */
export interface StoredMessage {
  readonly offset: number;
  readonly id: string;
  readonly publishedAt: number;
  readonly type: "json" | "text" | "bytes";
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string>> | null;
  readonly key: string | null;
}

export interface StoredPage {
  readonly messages: readonly StoredMessage[];
  /** The offset to go on from. */
  readonly next: number;
}

interface Wire {
  readonly messages: readonly (Omit<StoredMessage, "publishedAt"> & { readonly published_at: number })[];
  readonly next: number;
}

/** Messages from a place on, by HTTP: a page is exactly as long as it is asked for, a reader would go on. @throws RequestError */
export async function readStream(
  name: string,
  from: StartFrom,
  limit: number,
  token: string | null,
): Promise<StoredPage> {
  const place = typeof from === "string" ? from : "offset" in from ? String(from.offset) : `@${from.at}`;
  const { messages, next } = await getJson<Wire>(
    `/v1/streams/${encodeURIComponent(name)}/messages?from=${encodeURIComponent(place)}&limit=${limit}`,
    token,
  );
  return {
    next,
    messages: messages.map(({ published_at, ...rest }) => ({
      ...rest,
      publishedAt: published_at,
      headers: rest.headers ?? null,
      key: rest.key ?? null,
    })),
  };
}
