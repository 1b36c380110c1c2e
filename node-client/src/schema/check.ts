/** Bodies held against a definition's schema, before they are sent and before a handler sees them. */
import type { Delivery } from "../consume/delivery.js";
import { InvalidMessage } from "./invalid.js";
import { issuesText, type SchemaResult, type StandardSchema } from "./standard.js";

export type OnInvalid = "dead-letter" | "reject";

export interface BodyCheck {
  readonly schema: StandardSchema<unknown>;
  readonly onInvalid: OnInvalid;
}

/** Before publishing; a promise only if the schema is asynchronous. The body is sent as it was given. @throws InvalidMessage */
export function checkBody(name: string, schema: StandardSchema<unknown>, body: unknown): void | Promise<void> {
  const judge = (result: SchemaResult<unknown>): void => {
    if (result.issues !== undefined) throw new InvalidMessage(name, result.issues);
  };
  const result = schema["~standard"].validate(body);
  return result instanceof Promise ? result.then(judge) : judge(result);
}

/** Whether a handler may see a message; if not, it has been nacked. A promise only if the schema is asynchronous. */
export function admit(delivery: Delivery, check: BodyCheck | undefined): boolean | Promise<boolean> {
  let body: unknown;
  try {
    ({ body } = delivery);
  } catch {
    void delivery.nack({ reason: "The body is not JSON." });
    return false;
  }
  if (check === undefined || delivery.isTombstone) return true;
  const judge = (result: SchemaResult<unknown>): boolean => {
    if (result.issues === undefined) delivery.replaceBody(result.value);
    else refuse(delivery, check, `The body is invalid: ${issuesText(result.issues)}`);
    return result.issues === undefined;
  };
  try {
    const result = check.schema["~standard"].validate(body);
    return result instanceof Promise
      ? result.then(judge).catch((error) => failed(delivery, check, error))
      : judge(result);
  } catch (error) {
    return failed(delivery, check, error);
  }
}

function failed(delivery: Delivery, check: BodyCheck, error: unknown): false {
  refuse(delivery, check, `The schema failed: ${error instanceof Error ? error.message : String(error)}`);
  return false;
}

function refuse(delivery: Delivery, { onInvalid }: BodyCheck, reason: string): void {
  if (delivery.isHeld) void delivery.nack({ reason, dead: onInvalid === "dead-letter" });
}
