/** Reads a `deliver` frame (docs/protocol.md §5), binary or text. */
import { platform } from "#platform";
import { attributeAt } from "../protocol/columns.js";
import { type Frame, type Header, isRecord, ProtocolViolation } from "../protocol/frame.js";

export interface RawDelivery {
  readonly number: number;
  readonly id: string;
  readonly sequence: number;
  readonly attempt: number;
  readonly publishedAt: number;
  readonly type: "json" | "text" | "bytes";
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly key: string | undefined;
  readonly priority: number;
  /** JSON text, text or bytes by `type`; `parsed` where a text frame had JSON inside it. */
  readonly raw: string | Uint8Array;
  readonly parsed: { readonly body: unknown } | undefined;
}

export function parseDeliver(frame: Frame): RawDelivery[] {
  const { header } = frame;
  if (Array.isArray(header["messages"])) return (header["messages"] as readonly unknown[]).map(parseInline);
  const { number, runs } = header;
  if (!Number.isSafeInteger(number) || !Array.isArray(runs)) throw new ProtocolViolation("A deliver frame has no number or no runs.");
  const bodies = bodyReader(frame);
  const deliveries: RawDelivery[] = [];
  for (const run of runs as readonly unknown[]) {
    if (!Array.isArray(run)) throw new ProtocolViolation("A run is not an array.");
    const [sequence, count, prefix, first, publishedAt] = run as readonly unknown[];
    if (!isInteger(sequence) || !isInteger(count) || typeof prefix !== "string" || !isInteger(first) || typeof publishedAt !== "number") {
      throw new ProtocolViolation("A run is not [sequence, count, prefix, index, time].");
    }
    if (deliveries.length + count > frame.sizes.length) throw new ProtocolViolation("The runs and sizes of a deliver frame differ.");
    for (let k = 0; k < count; k++) {
      const index = deliveries.length;
      const type = typeOf(attributeAt(header["type"], header["types"], index));
      deliveries.push({
        number: (number as number) + index,
        id: prefix + (first + k),
        sequence: sequence + k,
        publishedAt,
        type,
        ...attributes(header, index),
        raw: bodies(index, type),
        parsed: undefined,
      });
    }
  }
  if (deliveries.length !== frame.sizes.length) throw new ProtocolViolation("The runs and sizes of a deliver frame differ.");
  return deliveries;
}

const isInteger = (value: unknown): value is number => Number.isSafeInteger(value);
const typeOf = (value: unknown): RawDelivery["type"] => (value === "text" || value === "bytes" ? value : "json");

function attributes(header: Header, index: number): Pick<RawDelivery, "attempt" | "headers" | "key" | "priority"> {
  const single = header["headers"];
  const attempt = attributeAt(header["attempt"], header["attempts"], index);
  const headers = attributeAt(single, single, index);
  const key = attributeAt(header["key"], header["keys"], index);
  const priority = attributeAt(header["priority"], header["priorities"], index);
  return {
    attempt: typeof attempt === "number" ? attempt : 1,
    headers: isRecord(headers) ? (headers as Record<string, string>) : undefined,
    key: typeof key === "string" ? key : undefined,
    priority: typeof priority === "number" ? priority : 0,
  };
}

/** Cuts bodies out of a frame, to be asked for in order. ASCII, the common case, is decoded once and cut as a string. */
function bodyReader({ bytes = new Uint8Array(0), start, sizes }: Frame): (index: number, type: RawDelivery["type"]) => string | Uint8Array {
  const text = platform.ascii(bytes, start, bytes.length);
  let offset = start;
  return (index, type) => {
    const from = offset;
    offset += sizes[index] ?? 0;
    if (type === "bytes") return bytes.subarray(from, offset);
    return text === undefined ? platform.utf8(bytes, from, offset) : text.slice(from - start, offset - start);
  };
}

function parseInline(message: unknown): RawDelivery {
  if (!isRecord(message) || !isInteger(message["number"]) || typeof message["id"] !== "string") {
    throw new ProtocolViolation("A delivered message has no number or no id.");
  }
  const { number, id, sequence, published_at, body } = message;
  const type = typeOf(message["type"]);
  return {
    number,
    id,
    sequence: isInteger(sequence) ? sequence : 0,
    publishedAt: typeof published_at === "number" ? published_at : 0,
    type,
    ...attributes(message, 0),
    raw: type === "bytes" ? fromBase64(body) : typeof body === "string" ? body : "",
    parsed: type === "json" ? { body } : undefined,
  };
}

function fromBase64(body: unknown): Uint8Array {
  try {
    return Uint8Array.from(atob(String(body)), (character) => character.charCodeAt(0));
  } catch {
    throw new ProtocolViolation("A body of type bytes is not base64.");
  }
}
