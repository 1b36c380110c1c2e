/** The server's side of frames, for the fake gateway. */
import { platform } from "#platform";
import { attributeAt } from "../protocol/columns.js";
import { decodeFrame, encodeBytes, type Frame, type Header } from "../protocol/frame.js";

export interface FakeMessage {
  readonly id: string;
  readonly sequence: number;
  readonly publishedAt: number;
  readonly body: Uint8Array;
  readonly type: string | undefined;
  readonly headers: unknown;
  readonly key: unknown;
  readonly priority: unknown;
  readonly topic?: string | undefined;
  readonly delayMs?: unknown;
  readonly deliverAt?: unknown;
  readonly dedupKey?: unknown;
  readonly expireMs?: unknown;
  attempt: number;
}

/** One frame that a client sent. */
export interface ReceivedFrame {
  readonly op: string;
  readonly header: Header;
  /** Bodies of a binary frame, as they came. */
  readonly bodies: readonly Uint8Array[];
}

export function receive(data: string | Uint8Array): ReceivedFrame {
  const frame = decodeFrame(data);
  return { op: String(frame.header["op"]), header: frame.header, bodies: bodiesOf(frame) };
}

function bodiesOf({ bytes, start, sizes }: Frame): Uint8Array[] {
  let offset = start;
  const bodies: Uint8Array[] = [];
  for (const size of sizes) {
    if (bytes !== undefined) bodies.push(bytes.subarray(offset, offset + size));
    offset += size;
  }
  return bodies;
}

export const textOf = (body: Uint8Array): string => platform.utf8(body, 0, body.length);

export function utf8(text: string): Uint8Array {
  const bytes = platform.allocate(platform.byteLength(text));
  platform.write(text, bytes, 0);
  return bytes;
}

/** The messages of a publish frame, binary or text. */
export function readPublish({ header, bodies }: ReceivedFrame): Omit<FakeMessage, "id" | "sequence" | "publishedAt">[] {
  if (Array.isArray(header["messages"])) {
    return (header["messages"] as readonly Header[]).map((message) => {
      const { headers, key, priority, delay_ms: delayMs, dedup_key: dedupKey, expire_ms: expireMs } = message;
      const deliverAt = message["deliver_at"];
      const type = message["type"] as string | undefined;
      return {
        ...{ body: inlineBody(type, message["body"]), type, headers, key, priority },
        ...{ delayMs, deliverAt, dedupKey, expireMs, attempt: 1 },
      };
    });
  }
  return bodies.map((body, index) => ({
    body,
    type: attributeAt(header["type"], header["types"], index) as string | undefined,
    headers: attributeAt(header["headers"], header["headers"], index),
    key: attributeAt(header["key"], header["keys"], index),
    priority: attributeAt(header["priority"], header["priorities"], index),
    delayMs: attributeAt(header["delay_ms"], header["delays_ms"], index),
    deliverAt: attributeAt(header["deliver_at"], header["delivers_at"], index),
    dedupKey: attributeAt(header["dedup_key"], header["dedup_keys"], index),
    expireMs: attributeAt(header["expire_ms"], header["expires_ms"], index),
    attempt: 1,
  }));
}

function inlineBody(type: string | undefined, body: unknown): Uint8Array {
  if (type === "bytes") return Uint8Array.from(atob(String(body)), (character) => character.charCodeAt(0));
  return utf8(typeof body === "string" && type === "text" ? body : JSON.stringify(body));
}

/** A `deliver` frame, or without a number a `messages` frame. */
export function deliverFrame(
  sub: number,
  number: number | undefined,
  messages: readonly FakeMessage[],
  trimmed?: number,
): Uint8Array<ArrayBuffer> {
  const column = <T>(values: readonly T[], plain: T): readonly T[] | undefined =>
    values.every((value) => value === plain) ? undefined : values;
  const header = {
    op: number === undefined ? "messages" : "deliver",
    sub,
    number,
    trimmed,
    runs: messages.map(({ id, sequence, publishedAt }) => {
      const [, prefix = "", index = ""] = /^(.*?)(\d+)$/.exec(id) ?? [];
      return [sequence, 1, prefix, Number(index), publishedAt];
    }),
    sizes: messages.map(({ body }) => body.length),
    attempts: column(
      messages.map(({ attempt }) => attempt),
      1,
    ),
    types: column(
      messages.map(({ type }) => type ?? "json"),
      "json",
    ),
    headers: column(
      messages.map(({ headers }) => headers ?? null),
      null,
    ),
    keys: column(
      messages.map(({ key }) => key ?? null),
      null,
    ),
    topics: column(
      messages.map(({ topic }) => topic ?? null),
      null,
    ),
    priorities: column(
      messages.map(({ priority }) => priority ?? null),
      null,
    ),
  };
  return encodeBytes(
    header,
    messages.map(({ body }) => body),
  );
}
