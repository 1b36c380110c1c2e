import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react";
import { useClient } from "./client.js";
import type { StreamStats } from "./types.js";
import { useQuery } from "./use_query.js";

/** A stream with the rates that its numbers do not have. */
export interface RatedStream extends StreamStats {
  readonly ratePublished: number;
  /** Over all groups. */
  readonly rateAcked: number;
}

export interface AllStreams {
  /** By name. */
  readonly streams: readonly RatedStream[];
  readonly loading: boolean;
  readonly error: unknown;
  readonly reload: () => void;
}

export interface Sample {
  readonly at: number;
  readonly totals: ReadonlyMap<string, number>;
}

/** Rates are over this span, as those of queues are. */
const SPAN_MS = 5_000;
const EVERY_MS = 1_000;

/** What came to a stream in all; without a counter of the broker's own, its next offset says it. */
const totalOf = (stream: StreamStats): number => stream.publishedTotal ?? stream.next;

/** The samples of the last span and one before it, with a new one. */
export function sampled(samples: readonly Sample[], streams: readonly StreamStats[], at: number): readonly Sample[] {
  const totals = new Map(streams.map((stream) => [stream.name, totalOf(stream)]));
  const kept = samples.filter((sample) => at - sample.at <= SPAN_MS + EVERY_MS / 2);
  return [...kept, { at, totals }];
}

/** Messages a second between the oldest sample that knows the stream and the newest. */
export function rateOf(samples: readonly Sample[], name: string): number {
  const first = samples.find((sample) => sample.totals.has(name));
  const last = samples.at(-1);
  const from = first?.totals.get(name);
  const to = last?.totals.get(name);
  if (first === undefined || last === undefined || from === undefined || to === undefined || last.at <= first.at)
    return 0;
  return Math.max(0, ((to - from) * 1_000) / (last.at - first.at));
}

/** A stream's numbers with its rates. */
export const rated = (stream: StreamStats, ratePublished: number): RatedStream => ({
  ...stream,
  ratePublished,
  rateAcked: stream.groups.reduce((sum, group) => sum + group.rateAcked, 0),
});

const Context = createContext<AllStreams>({ streams: [], loading: true, error: null, reload: () => {} });

/** All streams; the protocol has no watch for their numbers, so they are asked for each second while the page is visible. */
export const useAllStreams = (): AllStreams => useContext(Context);

export function AllStreamsProvider({ children }: { children: ReactNode }): ReactNode {
  const mq = useClient();
  const { data, error, loading, reload } = useQuery("streams", () => mq.streams(), EVERY_MS);
  const [samples, setSamples] = useState<readonly Sample[]>([]);
  useEffect(() => {
    if (data !== undefined) setSamples((was) => sampled(was, data, Date.now()));
  }, [data]);
  const value = useMemo<AllStreams>(
    () => ({
      streams: (data ?? []).map((stream) => rated(stream, rateOf(samples, stream.name))),
      loading,
      error: data === undefined ? error : null,
      reload,
    }),
    [data, samples, loading, error, reload],
  );
  return <Context value={value}>{children}</Context>;
}
