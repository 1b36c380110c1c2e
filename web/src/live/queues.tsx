import { useClient, useQueues } from "postroad/react";
import { createContext, type ReactNode, useContext, useEffect, useMemo, useReducer } from "react";
import type { QueueStats } from "./types.js";
import { useQuery } from "./use_query.js";

export interface AllQueues {
  /** By name. */
  readonly queues: readonly QueueStats[];
  readonly loading: boolean;
}

type Change =
  | { readonly kind: "changed"; readonly queues: readonly QueueStats[] }
  | { readonly kind: "all"; readonly queues: readonly QueueStats[] };

/**
 * What is known of the queues after a change. The live state tells of those that changed only; the full list, asked
 * for every few seconds, brings what changes without an event: ages, and what an engine does by itself.
 */
export function known(was: readonly QueueStats[] | null, change: Change): readonly QueueStats[] | null {
  // Groups come as well; they are shown with their streams.
  const changed = change.queues.filter((queue) => !queue.name.includes("/"));
  if (change.kind === "changed" && changed.length === 0) return was;
  const base = change.kind === "all" ? [] : (was ?? []);
  const byName = new Map([...base, ...changed].map((queue) => [queue.name, queue]));
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

const EVERY_MS = 3_000;
const Context = createContext<AllQueues>({ queues: [], loading: true });

/** All queues, live; what was known last stays while the connection is away. */
export const useAllQueues = (): AllQueues => useContext(Context);

export function AllQueuesProvider({ children }: { children: ReactNode }): ReactNode {
  const mq = useClient();
  const { queues: changed } = useQueues();
  const { data: all } = useQuery("queues", () => mq.queues(), EVERY_MS);
  const [queues, change] = useReducer(known, null);
  useEffect(() => change({ kind: "changed", queues: changed }), [changed]);
  useEffect(() => {
    if (all !== undefined) change({ kind: "all", queues: all });
  }, [all]);
  const value = useMemo(() => ({ queues: queues ?? [], loading: queues === null }), [queues]);
  return <Context value={value}>{children}</Context>;
}
