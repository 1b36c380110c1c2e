import type { MessageState } from "../../live/types.js";

/**
 * Where a message can stand on the road:
 *
 * ```
 * browser ── express ── queue ── worker ── on the way ── mailbox
 *    0          1         2        3           4            5
 *                         └── dead letters 6
 * ```
 */
export type Stop = 0 | 1 | 2 | 3 | 4 | 5 | 6;

export const QUEUE_STOP = 2;
export const DEAD_STOP = 6;

/** Across the road, in percent; the dead letters lie below the queue. */
export const STOP_X: Record<Stop, number> = { 0: 10, 1: 30, 2: 50, 3: 70, 4: 80, 5: 90, 6: 50 };

/** The stop that a state means. */
export function stopOf(state: MessageState | null, percent: number | null): Stop {
  switch (state) {
    case null:
      return 1;
    case "queued":
    case "delayed":
    case "retrying":
      return 2;
    case "delivered":
      return (percent ?? 0) >= 60 ? 4 : 3;
    case "done":
      return 5;
    default:
      return 6;
  }
}

/** The next stop on the way from one to another: the road has one lane, and dead letters leave it at the queue. */
export function towards(from: Stop, to: Stop): Stop {
  if (from === to) return to;
  if (from === DEAD_STOP) return QUEUE_STOP;
  const goal = to === DEAD_STOP ? QUEUE_STOP : to;
  if (from === goal) return to;
  return (from + Math.sign(goal - from)) as Stop;
}
