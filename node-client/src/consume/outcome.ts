/** What a handler's end means for its message: returning acks, throwing nacks. */
import type { PostroadError } from "../errors.js";
import type { Delivery } from "./delivery.js";
import { DeadLetter, Done, Retry } from "./message.js";

/** @param failed - told if the outcome could not be stored as asked. */
export function settleReturned(delivery: Delivery, value: unknown, failed: (error: PostroadError) => void): void {
  if (!delivery.isHeld) return;
  if (value === undefined) {
    delivery.finish();
    return;
  }
  delivery.ack(value).catch((error: PostroadError) => {
    if (!delivery.isHeld) return;
    failed(error);
    // It cannot be stored as asked. Followers must not be lost, so the work is not done; a result alone can be.
    if (value instanceof Done && value.publish.length > 0) void delivery.nack({ reason: error.message });
    else void delivery.ack();
  });
}

export function settleThrown(delivery: Delivery, thrown: unknown): void {
  if (!delivery.isHeld) return;
  if (thrown instanceof DeadLetter) void delivery.nack({ dead: true, reason: thrown.message });
  else if (thrown instanceof Retry) {
    void delivery.nack({
      reason: thrown.message,
      ...(thrown.delayMs === undefined ? {} : { delayMs: thrown.delayMs }),
    });
  } else void delivery.nack({ reason: reasonOf(thrown) });
}

function reasonOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message === "" ? thrown.name : thrown.message;
  return typeof thrown === "string" ? thrown : "The handler threw.";
}
