import type { Welcome } from "postroad";
import { useConnection } from "postroad/react";
import { createContext, useContext, useMemo } from "react";

export type Level = Welcome["capabilities"][string];

/** What capabilities are about, as a person says it; in the order in which they are listed. */
const ABOUT: Readonly<Record<string, string>> = {
  order: "order of messages",
  retry: "retries with backoff",
  dead_letter: "dead letters",
  redrive: "redriving dead letters",
  edit: "editing dead letters",
  delay: "delayed messages",
  priority: "priorities",
  ordering_key: "ordering keys",
  expiry: "expiry",
  dedup: "dedup keys",
  producer_sessions: "frames sent again stored once",
  atomic_ack_publish: "ack and publish as one",
  results: "results of handlers",
  timeline: "timelines of messages",
  live_events: "live events",
  peek: "looking into queues",
  search: "search",
  pause: "pausing",
  cancel: "cancelling messages",
  topics: "topics",
  streams: "streams",
  schedules: "schedules",
  ...{ length_max: "a limit of messages", bytes_max: "a limit of bytes", overflow: "making room in a full queue" },
  ...{ concurrency_max: "a limit of messages leased at once", rate_max: "a limit of deliveries a second" },
  ...{ retention_ms: "streams kept for a time", retention_count: "streams kept up to a number" },
  ...{ retention_bytes: "streams kept up to a size", keep_until_acked: "streams kept until all have settled" },
  compaction: "compaction",
};

export interface Capability {
  readonly name: string;
  /** What it is about. */
  readonly about: string;
  readonly level: Level;
  /** Why it is unsupported; null where it is not. */
  readonly reason: string | null;
}

export interface EngineView {
  readonly name: string;
  readonly durability: Welcome["durability"];
  readonly capabilities: readonly Capability[];
}

/** What the gateway runs on and what that can do; null until it said so. */
export function engineOf(welcome: Welcome | undefined): EngineView | null {
  if (welcome === undefined) return null;
  const { engine: name, durability, capabilities } = welcome;
  const order = Object.keys(ABOUT);
  const place = (one: string): number => (order.includes(one) ? order.indexOf(one) : order.length);
  return {
    name,
    durability,
    capabilities: Object.entries(capabilities)
      .sort(([a], [b]) => place(a) - place(b))
      .map(([one, level]) => {
        const about = ABOUT[one] ?? one.replaceAll("_", " ");
        return { name: one, about, level, reason: level === "unsupported" ? reasonOf(welcome, one, about) : null };
      }),
  };
}

/** The gateway's own words where it has some. */
function reasonOf(welcome: Welcome, capability: string, about: string): string {
  return welcome.reasons?.[capability] ?? `The ${welcome.engine} engine does not support ${about}.`;
}

/** What a confirm is worth, for parts that render without a connection as well. */
export const DurabilityContext = createContext<Welcome["durability"]>("sync");

export const useDurability = (): Welcome["durability"] => useContext(DurabilityContext);

export function useEngine(): EngineView | null {
  const { welcome } = useConnection();
  return useMemo(() => engineOf(welcome), [welcome]);
}

/** Why the engine cannot do something; null where it can, or where nobody said that it cannot. */
export function useCannot(capability: string): string | null {
  return useEngine()?.capabilities.find(({ name }) => name === capability)?.reason ?? null;
}
