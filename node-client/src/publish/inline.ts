/** A message inside a JSON header, as text frames, schedules and edits carry it. */
import { InvalidRequest } from "../errors.js";
import { isWritable } from "../protocol/text.js";
import { DEFAULT_LIMITS } from "../protocol/types.js";
import { checkAttributes, type PublishOptions } from "./attributes.js";

/** What a message inside a schedule or an edit may have; the broker takes neither delay nor dedup key there. */
export type InlineOptions = Pick<PublishOptions, "type" | "headers" | "priority" | "key" | "expireMs">;

/** @throws InvalidRequest or LimitExceeded if it could not be published, before anything is sent. */
export function inlineMessage(body: unknown, options: Omit<PublishOptions, "signal">): Record<string, unknown> {
  const attributes = checkAttributes(options, DEFAULT_LIMITS);
  const isBytes = body instanceof Uint8Array;
  const type = isBytes ? "bytes" : options.type === "text" ? "text" : undefined;
  const text = JSON.stringify(body) as string | undefined;
  if (text === undefined || !isWritable(text))
    throw new InvalidRequest("The body is not JSON.", { details: { field: "body" } });
  return { ...attributes, type, body: isBytes ? toBase64(body) : body };
}

const toBase64 = (bytes: Uint8Array): string => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
