import { useStreams } from "postroad/react";
import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef, useState } from "react";
import type { StreamStats } from "./types.js";

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

const Context = createContext<AllStreams>({ streams: [], loading: true, error: null });

/** All streams, live. */
export const useAllStreams = (): AllStreams => useContext(Context);

export function AllStreamsProvider({ children }: { children: ReactNode }): ReactNode {
  const { streams, status, error } = useStreams();
  const latest = useRef(streams);
  latest.current = streams;
  const [samples, setSamples] = useState<readonly Sample[]>([]);
  useEffect(() => {
    const timer = setInterval(() => {
      if (latest.current.length > 0) setSamples((was) => sampled(was, latest.current, Date.now()));
    }, EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  const value = useMemo<AllStreams>(
    () => ({
      streams: streams.map((stream) => rated(stream, rateOf(samples, stream.name))),
      loading: status === "idle" || status === "loading",
      error: status === "error" ? error : null,
    }),
    [streams, samples, status, error],
  );
  return <Context value={value}>{children}</Context>;
}
