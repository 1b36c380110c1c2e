/** How long until the next attempt: the broker's own rule (tests/vectors/retry.json). */

/** A number from 0 to 2^32 − 1 that differs from message to message. */
function spread(position: number, index: number, attempt: number): number {
  const low = (value: number): number => (value % 2 ** 32) | 0;
  let value =
    Math.imul(low(position), 0x9e3779b1) ^ Math.imul(low(index), 0x85ebca77) ^ Math.imul(low(attempt), 0xc2b2ae3d);
  value ^= value >>> 16;
  value = Math.imul(value, 0x85ebca6b);
  value ^= value >>> 13;
  value = Math.imul(value, 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/** Delay after the failed attempt number `attempt` (from 1): between half of the exponential delay and all of it. */
export function retryDelayMs(
  attempt: number,
  backoffMs: number,
  backoffMaxMs: number,
  position: number,
  index: number,
): number {
  const full = Math.min(backoffMs * 2 ** Math.min(attempt - 1, 40), backoffMaxMs);
  const half = Math.floor(full / 2);
  // The product has more than 53 bits.
  return half + Number((BigInt(full - half) * BigInt(spread(position, index, attempt))) >> 32n);
}
