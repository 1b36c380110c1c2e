import type { GroupStats, StreamStats } from "../../live/types.js";

/** Groups, the one that is furthest behind first. */
export const byLag = (groups: readonly GroupStats[]): readonly GroupStats[] =>
  [...groups].sort((a, b) => b.lag - a.lag || (a.name < b.name ? -1 : 1));

/** How far the slowest group of a stream is behind; null without groups. */
export const largestLag = (stream: StreamStats): number | null => byLag(stream.groups)[0]?.lag ?? null;

/** What somebody should look at: a group that is behind and that nobody consumes, or that lost messages to retention. */
export function groupAttention(group: GroupStats): string | null {
  if (group.paused) return "paused";
  if (group.lag > 0 && group.consumers === 0) return "no consumer";
  return (group.retrying ?? 0) > 0 ? "retrying" : null;
}

/** The streams whose groups are furthest behind first, then by name. */
export const byLargestLag = <T extends StreamStats>(streams: readonly T[]): readonly T[] =>
  [...streams].sort((a, b) => (largestLag(b) ?? -1) - (largestLag(a) ?? -1) || (a.name < b.name ? -1 : 1));
