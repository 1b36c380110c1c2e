/** Checks one message's attributes before it joins a batch, because a frame is refused as a whole. */

import { platform } from "#platform";
import { InvalidRequest, LimitExceeded } from "../errors.js";
import type { Attribute } from "../protocol/columns.js";
import type { Limits } from "../protocol/types.js";

export interface PublishOptions {
  /** How the body is to be understood. @defaultValue `"bytes"` for a Uint8Array, else `"json"` */
  readonly type?: "json" | "text" | "bytes";
  /** Flat string pairs, at most 64 and 16 KiB. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Not delivered before that long from now: 0 to 10 years. */
  readonly delayMs?: number;
  /** Instead of `delayMs`: not delivered before that time, a Date or milliseconds since the epoch, at most 10 years ahead. */
  readonly deliverAt?: Date | number;
  /** The same key within 5 minutes is not stored again: 1 to 200 bytes. */
  readonly dedupKey?: string;
  /** 0 to 9, higher first. @defaultValue 0 */
  readonly priority?: number;
  /** Ordering key, 1 to 128 bytes: one message of a key is in flight at a time, in order. Excludes delay, time of delivery and priority. */
  readonly key?: string;
  /** Not delivered after that long from now. */
  readonly expireMs?: number;
  /** Stops waiting for the confirm; the message may be stored all the same. */
  readonly signal?: AbortSignal;
}

export type Attributes = Partial<Record<Attribute, string | number | Readonly<Record<string, string>> | undefined>>;

const TEN_YEARS_MS = 315_576_000_000;

/** @throws InvalidRequest or LimitExceeded, naming the field. */
export function checkAttributes(options: PublishOptions, limits: Limits): Attributes {
  const { type, headers, delayMs, deliverAt, dedupKey, priority, key, expireMs } = options;
  if (headers !== undefined) checkHeaders(headers, limits);
  integer("delayMs", delayMs, 0, TEN_YEARS_MS);
  const at = deliverAt instanceof Date ? deliverAt.getTime() : deliverAt;
  integer("deliverAt", at, 0, Date.now() + TEN_YEARS_MS);
  if (at !== undefined && delayMs !== undefined) throw invalid("deliverAt", "Give either delayMs or deliverAt.");
  integer("priority", priority, 0, 9);
  integer("expireMs", expireMs, 1, Number.MAX_SAFE_INTEGER);
  bytes("dedupKey", dedupKey, 200);
  bytes("key", key, 128);
  if (key !== undefined && (delayMs !== undefined || at !== undefined || priority !== undefined))
    throw invalid("key", "A key excludes delay and priority.");
  return {
    type: type === "json" ? undefined : type,
    headers,
    delay_ms: delayMs,
    deliver_at: at,
    dedup_key: dedupKey,
    priority,
    key,
    expire_ms: expireMs,
  };
}

/** @throws InvalidRequest for what a stream does not take. */
export function checkForStream({ delayMs, deliverAt, priority }: PublishOptions): void {
  if (deliverAt !== undefined) throw invalid("deliverAt", "A stream takes no time of delivery.");
  if (delayMs !== undefined) throw invalid("delayMs", "A stream takes no delay.");
  if (priority !== undefined) throw invalid("priority", "A stream takes no priority.");
}

function checkHeaders(headers: Readonly<Record<string, string>>, limits: Limits): void {
  const entries = Object.entries(headers);
  if (entries.some(([, value]) => typeof value !== "string"))
    throw invalid("headers", "Message headers are flat pairs of strings.");
  if (entries.some(([name, value]) => !name.isWellFormed() || !value.isWellFormed()))
    throw invalid("headers", "A header has half of a surrogate pair.");
  if (entries.length > limits.headersMax) throw exceeded("headers_max", limits.headersMax);
  const size = entries.reduce((sum, [name, value]) => sum + platform.byteLength(name) + platform.byteLength(value), 0);
  if (size > limits.headersBytesMax) throw exceeded("headers_bytes_max", limits.headersBytesMax);
}

function integer(field: string, value: number | undefined, min: number, max: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= min && value <= max)) return;
  throw invalid(field, `${field} must be an integer from ${min} to ${max}.`);
}

function bytes(field: string, value: string | undefined, max: number): void {
  if (value === undefined) return;
  const size = typeof value === "string" ? platform.byteLength(value) : 0;
  if (size < 1 || size > max || !value.isWellFormed())
    throw invalid(field, `${field} must be a string of 1 to ${max} bytes.`);
}

const invalid = (field: string, message: string): InvalidRequest => new InvalidRequest(message, { details: { field } });

export const exceeded = (limit: string, value: number): LimitExceeded =>
  new LimitExceeded(`The limit ${limit} is ${value}.`, { details: { limit, value } });
