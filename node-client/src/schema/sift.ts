/** Messages of a stream held against a definition's schema, for those who follow it without a group. */
import type { ReadMessage } from "../read/message.js";
import { InvalidMessage } from "./invalid.js";
import type { SchemaResult, StandardSchema } from "./standard.js";

/** A message that the schema refused. Nothing is settled: a reader only leaves it out. */
export type Refused = (error: InvalidMessage, message: ReadMessage<unknown>) => void;

/** What the schema takes, with the bodies that it returns; a promise only if the schema is asynchronous. */
export function sift<T>(
  messages: readonly ReadMessage<T>[],
  schema: StandardSchema<unknown>,
  refused: Refused,
): ReadMessage<T>[] | Promise<ReadMessage<T>[]> {
  const kept = (verdicts: readonly boolean[]): ReadMessage<T>[] => {
    const taken = messages.filter((_, index) => verdicts[index]);
    const [first] = taken;
    if (first !== undefined && messages[0]?.trimmed === true) first.trimmed = true;
    return taken;
  };
  const verdicts = messages.map((message) => judged(message, schema, refused));
  return verdicts.some((verdict) => verdict instanceof Promise)
    ? Promise.all(verdicts).then(kept)
    : kept(verdicts as boolean[]);
}

function judged(
  message: ReadMessage<unknown>,
  schema: StandardSchema<unknown>,
  refused: Refused,
): boolean | Promise<boolean> {
  const refuse = (issues: InvalidMessage["issues"]): false => {
    refused(new InvalidMessage(message.stream, issues), message);
    return false;
  };
  const judge = (result: SchemaResult<unknown>): boolean => {
    if (result.issues !== undefined) return refuse(result.issues);
    message.replaceBody(result.value);
    return true;
  };
  const failed = (thrown: unknown): false =>
    refuse([{ message: `The schema failed: ${thrown instanceof Error ? thrown.message : String(thrown)}` }]);
  if (message.isTombstone) return true;
  let body: unknown;
  try {
    ({ body } = message);
  } catch {
    return refuse([{ message: "The body is not JSON." }]);
  }
  let result: SchemaResult<unknown> | Promise<SchemaResult<unknown>>;
  try {
    result = schema["~standard"].validate(body);
  } catch (thrown) {
    return failed(thrown);
  }
  return result instanceof Promise ? result.then(judge, failed) : judge(result);
}
