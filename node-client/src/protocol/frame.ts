/**
 * Frames of docs/protocol.md §1.1.
 *
 * ```
 *  0               4                    4+H                                  end
 *  ├───────────────┼─────────────────────┼────────────────────────────────────┤
 *  │ H: u32, big-  │ header: H bytes of  │ bodies, back to back; "sizes" in   │
 *  │ endian        │ UTF-8 JSON, object  │ the header adds up to their length │
 *  └───────────────┴─────────────────────┴────────────────────────────────────┘
 * ```
 */
import { platform } from "#platform";

export type Header = Readonly<Record<string, unknown>>;

export interface Frame {
  readonly header: Header;
  /** The message that holds the bodies, and where they start; `undefined` in a text frame. */
  readonly bytes: Uint8Array | undefined;
  readonly start: number;
  readonly sizes: readonly number[];
}

/** A frame that breaks the protocol. The connection it came on is not used further. */
export class ProtocolViolation extends Error {
  override readonly name = "ProtocolViolation";
}

const HEADER_BYTES_MAX = 1_048_576;
const NO_SIZES: readonly number[] = [];

export function decodeFrame(data: string | Uint8Array): Frame {
  if (typeof data === "string") return { header: parseHeader(data), bytes: undefined, start: 0, sizes: NO_SIZES };
  if (data.length < 4) throw new ProtocolViolation("A binary frame is shorter than its length field.");
  const length = new DataView(data.buffer, data.byteOffset, 4).getUint32(0);
  if (length > HEADER_BYTES_MAX || 4 + length > data.length)
    throw new ProtocolViolation("A binary frame is shorter than its header says.");
  const text = platform.utf8(data, 4, 4 + length);
  // The fast decoder puts U+FFFD where bytes are no UTF-8; a header may also have one of its own.
  if (text.includes("\ufffd")) checkUtf8(data.subarray(4, 4 + length));
  const header = parseHeader(text);
  const start = 4 + length;
  return { header, bytes: data, start, sizes: checkSizes(header["sizes"], data.length - start) };
}

function checkUtf8(bytes: Uint8Array): void {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ProtocolViolation("A frame's header is not UTF-8.");
  }
}

function parseHeader(text: string): Header {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProtocolViolation("A frame's header is not JSON.");
  }
  if (!isRecord(value)) throw new ProtocolViolation("A frame's header is not a JSON object.");
  return value;
}

function checkSizes(sizes: unknown, bytes: number): readonly number[] {
  if (sizes === undefined && bytes === 0) return NO_SIZES;
  if (!Array.isArray(sizes)) throw new ProtocolViolation("A frame has bodies but no sizes.");
  let sum = 0;
  for (const size of sizes as readonly unknown[]) {
    if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
      throw new ProtocolViolation("A size is not a length.");
    sum += size;
  }
  if (sum !== bytes) throw new ProtocolViolation("The sizes of a frame do not add up.");
  return sizes as readonly number[];
}

/** A binary frame of a header and ready bytes. */
export function encodeBytes(header: Header, bodies: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const total = bodies.reduce((sum, body) => sum + body.length, 0);
  const { frame, start } = begin(header, total);
  let offset = start;
  for (const body of bodies) {
    frame.set(body, offset);
    offset += body.length;
  }
  return frame;
}

/** A binary frame whose bodies are one string; `size` is its length in UTF-8. */
export function encodeText(header: Header, bodies: string, size: number): Uint8Array<ArrayBuffer> {
  const { frame, start } = begin(header, size);
  platform.write(bodies, frame, start);
  return frame;
}

function begin(header: Header, bodyBytes: number): { frame: Uint8Array<ArrayBuffer>; start: number } {
  const text = JSON.stringify(header);
  const length = platform.byteLength(text);
  const frame = platform.allocate(4 + length + bodyBytes);
  new DataView(frame.buffer, frame.byteOffset, 4).setUint32(0, length);
  platform.write(text, frame, 4);
  return { frame, start: 4 + length };
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
