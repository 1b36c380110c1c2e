/** The two streams: what was clicked, and what was counted. */
import { defineStream } from "postroad";
import type { Part } from "./tally.js";

export interface Click {
  readonly page: string;
  /** When, in milliseconds since the epoch. */
  readonly at: number;
}

export const clicks = defineStream<Click>({ name: "clicks", settings: { retentionMs: 24 * 3_600_000 } });
export const counts = defineStream<Part>({ name: "counts", settings: { retentionMs: 7 * 24 * 3_600_000 } });

/** Those who count share this group of `clicks`. */
export const GROUP = "counters";

export const anHourAgo = (): number => Date.now() - 3_600_000;
