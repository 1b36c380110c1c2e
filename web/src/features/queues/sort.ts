import type { QueueStats } from "../../live/types.js";

/** What a consumer could be given, now or once the message before it of its ordering key is done. */
export const deliverable = (queue: Pick<QueueStats, "ready" | "parked">): number => queue.ready + (queue.parked ?? 0);

/** What waits in a queue: for a consumer, its key, its time, or its next attempt, as far as the engine can tell. */
export const waiting = (queue: Pick<QueueStats, "ready" | "parked" | "delayed" | "retrying">): number =>
  deliverable(queue) + (queue.delayed ?? 0) + (queue.retrying ?? 0);

/** What waits and what consumers hold. */
export const backlog = (queue: QueueStats): number => waiting(queue) + queue.leased;

/** Dead letters, no consumer for what waits, paused with a backlog: the queues that somebody should look at. */
export function attention(queue: QueueStats): string | null {
  if (queue.deadLetterOf !== undefined) return deliverable(queue) > 0 ? "dead letters wait" : null;
  if (queue.paused) return "paused";
  if (queue.consumers === 0 && deliverable(queue) > 0) return "no consumer";
  if ((queue.retrying ?? 0) > 0) return "retrying";
  return null;
}

/** Most urgent first; what is absent needs nobody. */
const URGENCY: readonly (string | null)[] = ["dead letters wait", "no consumer", "paused", "retrying", null];

/** What needs attention first, the most urgent of it at the top, then the largest backlog, then by name. */
export function byAttention(queues: readonly QueueStats[]): readonly QueueStats[] {
  return [...queues].sort(
    (a, b) =>
      URGENCY.indexOf(attention(a)) - URGENCY.indexOf(attention(b)) ||
      backlog(b) - backlog(a) ||
      (a.name < b.name ? -1 : 1),
  );
}
