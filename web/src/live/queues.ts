import { useQueues } from "postroad/react";
import type { QueueStats } from "./types.js";

/** All queues, live; what was known last stays while the connection is away. */
export function useAllQueues(): { readonly queues: readonly QueueStats[]; readonly loading: boolean } {
  const all = useQueues();
  return { queues: all.queues, loading: all.status === "loading" || all.status === "idle" };
}
