/** The numbers of a stream, and of one of its groups. */
import type { Link } from "../link.js";
import { fromWire } from "../protocol/case.js";
import { isRecord } from "../protocol/frame.js";
import type { GroupStats, StreamStats } from "../protocol/types.js";
import { Watched, type WatchedView } from "./watched.js";

export interface GroupView extends WatchedView {
  readonly stats: GroupStats | undefined;
}

export interface StreamStatsView extends WatchedView {
  readonly stats: StreamStats | undefined;
}

export type LiveGroup = Watched<GroupView>;
export type LiveStreamStats = Watched<StreamStatsView>;

export function liveGroup(link: Link, stream: string, name: string, onStop: () => void): LiveGroup {
  return new Watched<GroupView>(
    link,
    {
      request: { stream, group: name },
      empty: { stats: undefined },
      read: ({ queue }) => {
        if (!isRecord(queue)) return undefined;
        const stats = fromWire<GroupStats & { name: string }>(queue);
        return { stats: { ...stats, name: stats.name.slice(stats.name.indexOf("/") + 1) } };
      },
    },
    onStop,
  );
}

/** A stream's own numbers, with those of all its groups. */
export function liveStreamStats(link: Link, name: string, onStop: () => void): LiveStreamStats {
  return new Watched<StreamStatsView>(
    link,
    {
      request: { stream: name },
      empty: { stats: undefined },
      read: ({ stream }) => (isRecord(stream) ? { stats: fromWire<StreamStats>(stream) } : undefined),
    },
    onStop,
  );
}
