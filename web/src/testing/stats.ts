import type { GroupStats, QueueStats, StreamStats } from "../live/types.js";

/** An empty queue with one consumer, and what a test says of it. */
export const stats = (name: string, more: Partial<QueueStats> = {}): QueueStats => ({
  name,
  ready: 0,
  parked: 0,
  delayed: 0,
  retrying: 0,
  leased: 0,
  consumers: 1,
  paused: false,
  publishedTotal: 0,
  ackedTotal: 0,
  deadTotal: 0,
  ratePublished: 0,
  rateAcked: 0,
  oldestMs: null,
  bytes: 0,
  ...more,
});

/** An empty stream that is kept for a week. */
export const streamStats = (name: string, more: Partial<StreamStats> = {}): StreamStats => ({
  name,
  earliest: 0,
  next: 0,
  messages: 0,
  bytes: 0,
  oldestMs: null,
  settings: {
    ...{ retentionMs: 604_800_000, retentionBytes: null, retentionCount: null, keepUntilAcked: false },
    ...{ compaction: false, tombstoneMs: 86_400_000 },
  },
  groups: [],
  ...more,
});

/** A group that has settled everything. */
export const groupStats = (name: string, more: Partial<GroupStats> = {}): GroupStats => ({
  ...stats(name),
  committed: 0,
  lag: 0,
  trimmedTotal: 0,
  ...more,
});
