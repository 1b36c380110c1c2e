/**
 * Reads a `deliver` frame (docs/protocol.md §5), binary or text.
 *
 * The frame is checked at once and taken apart when asked: with thousands of small messages in hand, what is not an
 * object yet is what keeps the garbage collector away.
 */
import { platform } from "#platform";
import { attributeAt } from "../protocol/columns.js";
import { type Frame, type Header, isRecord, ProtocolViolation } from "../protocol/frame.js";

export type BodyType = "json" | "text" | "bytes";

/** The header of a message with an empty body that takes its key's value away (docs/protocol.md §3.1). */
export const TOMBSTONE = "postroad-tombstone";

interface Run {
  /** Index in the frame of the run's first message. */
  readonly at: number;
  readonly sequence: number;
  readonly prefix: string;
  readonly first: number;
  readonly publishedAt: number;
}

const NO_BYTES = new Uint8Array(0);

/** The messages of one frame; message `index` has the number `number + index`. */
export class DeliverBatch {
  readonly number: number;
  readonly count: number;
  /** How many of them are still held by this consumer. */
  held: number;
  /** Whether bodies were replaced by what a schema made of them: they cannot be read again. */
  isReplaced = false;
  readonly #header: Header;
  readonly #runs: readonly Run[];
  readonly #bytes: Uint8Array;
  /** Where each body starts, and where the last ends. */
  readonly #offsets: readonly number[];
  /** All bodies as one string if they are ASCII, the common case: decoded once, cut by character. */
  readonly #text: string | undefined;
  #run = 0;

  constructor(number: number, header: Header, runs: readonly Run[], bytes: Uint8Array, offsets: readonly number[]) {
    this.number = number;
    this.count = this.held = offsets.length - 1;
    this.#header = header;
    this.#runs = runs;
    this.#bytes = bytes;
    this.#offsets = offsets;
    this.#text = platform.ascii(bytes, this.#offset(0), bytes.length);
  }

  id(index: number): string {
    const { prefix, first, at } = this.#runOf(index);
    return prefix + (first + index - at);
  }

  sequence(index: number): number {
    const { sequence, at } = this.#runOf(index);
    return sequence + index - at;
  }

  publishedAt(index: number): number {
    return this.#runOf(index).publishedAt;
  }

  type(index: number): BodyType {
    const type = attributeAt(this.#header["type"], this.#header["types"], index);
    return type === "text" || type === "bytes" ? type : "json";
  }

  /** Whether some of it may have failed before. */
  get hasRetries(): boolean {
    return this.#header["attempts"] !== undefined || this.#header["attempt"] !== undefined;
  }

  attempt(index: number): number {
    const attempt = attributeAt(this.#header["attempt"], this.#header["attempts"], index);
    return typeof attempt === "number" ? attempt : 1;
  }

  headers(index: number): Readonly<Record<string, string>> | undefined {
    const headers = attributeAt(this.#header["headers"], this.#header["headers"], index);
    return isRecord(headers) ? (headers as Record<string, string>) : undefined;
  }

  key(index: number): string | undefined {
    const key = attributeAt(this.#header["key"], this.#header["keys"], index);
    return typeof key === "string" ? key : undefined;
  }

  priority(index: number): number {
    const priority = attributeAt(this.#header["priority"], this.#header["priorities"], index);
    return typeof priority === "number" ? priority : 0;
  }

  topic(index: number): string | undefined {
    const topic = attributeAt(this.#header["topic"], this.#header["topics"], index);
    return typeof topic === "string" ? topic : undefined;
  }

  isTombstone(index: number): boolean {
    return this.size(index) === 0 && this.headers(index)?.[TOMBSTONE] !== undefined;
  }

  /** Length of the body in bytes. */
  size(index: number): number {
    return this.#offset(index + 1) - this.#offset(index);
  }

  /** @throws SyntaxError if it is said to be JSON and is not. */
  body(index: number): unknown {
    const [start, end] = [this.#offset(index), this.#offset(index + 1)];
    const type = this.type(index);
    if (start === end && this.isTombstone(index)) return null;
    if (type === "bytes") return this.#bytes.subarray(start, end);
    const base = this.#offset(0);
    const text =
      this.#text === undefined ? platform.utf8(this.#bytes, start, end) : this.#text.slice(start - base, end - base);
    return type === "text" ? text : (JSON.parse(text) as unknown);
  }

  #offset(index: number): number {
    return this.#offsets[index] ?? 0;
  }

  /** Messages are mostly asked for in order, so the run is the one of last time or the next. */
  #runOf(index: number): Run {
    while (this.#run > 0 && (this.#runs[this.#run]?.at ?? 0) > index) this.#run--;
    while ((this.#runs[this.#run + 1]?.at ?? Number.POSITIVE_INFINITY) <= index) this.#run++;
    return this.#runs[this.#run] ?? { at: 0, sequence: 0, prefix: "", first: 0, publishedAt: 0 };
  }
}

export function parseDeliver(frame: Frame): DeliverBatch[] {
  const { header } = frame;
  if (Array.isArray(header["messages"])) return (header["messages"] as readonly unknown[]).map(parseInline);
  if (!isInteger(header["number"])) throw new ProtocolViolation("A deliver frame has no number.");
  return [parseRuns(frame, header["number"])];
}

/** Reads a `messages` frame (docs/protocol.md §5.2); nothing in it is numbered. */
export function parseMessages(frame: Frame): DeliverBatch[] {
  const { messages } = frame.header;
  if (!Array.isArray(messages)) return [parseRuns(frame, 0)];
  return (messages as readonly unknown[]).map((message) =>
    parseInline(isRecord(message) ? { ...message, number: 0, sequence: message["offset"] } : message),
  );
}

function parseRuns({ header, bytes = NO_BYTES, start, sizes }: Frame, number: number): DeliverBatch {
  const { runs } = header;
  if (!Array.isArray(runs)) throw new ProtocolViolation("A frame of messages has no runs.");
  const parsed: Run[] = [];
  let count = 0;
  for (const run of runs as readonly unknown[]) {
    if (!Array.isArray(run)) throw new ProtocolViolation("A run is not an array.");
    const [sequence, length, prefix, first, publishedAt] = run as readonly unknown[];
    if (
      !isInteger(sequence) ||
      !isInteger(length) ||
      typeof prefix !== "string" ||
      !isInteger(first) ||
      typeof publishedAt !== "number"
    ) {
      throw new ProtocolViolation("A run is not [sequence, count, prefix, index, time].");
    }
    parsed.push({ at: count, sequence, prefix, first, publishedAt });
    count += length;
  }
  if (count !== sizes.length) throw new ProtocolViolation("The runs and sizes of a deliver frame differ.");
  let offset = start;
  const offsets = [start];
  for (const size of sizes) {
    offset += size;
    offsets.push(offset);
  }
  return new DeliverBatch(number, header, parsed, bytes, offsets);
}

const isInteger = (value: unknown): value is number => Number.isSafeInteger(value);

function parseInline(message: unknown): DeliverBatch {
  if (!isRecord(message) || !isInteger(message["number"]) || typeof message["id"] !== "string") {
    throw new ProtocolViolation("A delivered message has no number or no id.");
  }
  const { number, id, sequence, published_at, type, body } = message;
  const [, prefix = id, index = "0"] = /^(.*?)(\d+)$/.exec(id) ?? [];
  const bytes = inlineBody(type, body);
  const run: Run = {
    at: 0,
    sequence: isInteger(sequence) ? sequence : 0,
    prefix,
    first: Number(index),
    publishedAt: typeof published_at === "number" ? published_at : 0,
  };
  return new DeliverBatch(number, message, [run], bytes, [0, bytes.length]);
}

function inlineBody(type: unknown, body: unknown): Uint8Array {
  if (type === "bytes") {
    try {
      return Uint8Array.from(atob(String(body)), (character) => character.charCodeAt(0));
    } catch {
      throw new ProtocolViolation("A body of type bytes is not base64.");
    }
  }
  const text = type === "text" && typeof body === "string" ? body : (JSON.stringify(body) ?? "");
  const bytes = platform.allocate(platform.byteLength(text));
  platform.write(text, bytes, 0);
  return bytes;
}
