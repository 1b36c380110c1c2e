/** What a video job is, for the site, the worker and the page. */
import { defineQueue } from "postroad";

export interface Job {
  /** Length of the clip. */
  readonly seconds: number;
  /** Made as slowly as it plays, as from a camera. */
  readonly isLive: boolean;
}

export interface Video {
  readonly path: string;
  readonly durationMs: number;
}

/** A worker that dies is noticed after two seconds; while one works, the client renews its lease, for hours if need be. */
export const videos = defineQueue<Job>({ name: "videos", settings: { leaseMs: 2_000, attemptsMax: 3 } });
