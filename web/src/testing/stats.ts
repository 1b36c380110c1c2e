import type { QueueStats } from "../live/types.js";

/** An empty queue with one consumer, and what a test says of it. */
export const stats = (name: string, more: Partial<QueueStats> = {}): QueueStats => ({
  name,
  ready: 0,
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
