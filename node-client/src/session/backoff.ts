export interface Backoff {
  readonly minMs: number;
  readonly maxMs: number;
}

/**
 * How long to wait before connection attempt `attempt` (from 0) after a loss: doubling, with half of it at random, so
 * that the clients of a restarted server do not come back at the same moment.
 *
 * @param random - a number from 0 to below 1.
 */
export function backoffMs({ minMs, maxMs }: Backoff, attempt: number, random: number): number {
  const full = Math.min(maxMs, minMs * 2 ** Math.min(attempt, 30));
  return Math.round(full * (0.5 + random / 2));
}
