import { useQueues } from "postroad/react";
import type { QueueStats } from "./types.js";

const NONE: readonly QueueStats[] = [];

/** All queues, live; what was known last stays while the connection is away. */
export function useAllQueues(): { readonly queues: readonly QueueStats[]; readonly loading: boolean } {
  const all = useQueues();
  return { queues: all.queues ?? NONE, loading: all.status === "connecting" || all.status === "idle" };
}
