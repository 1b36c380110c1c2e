"use client";
import { useMemo } from "react";
import type { PostroadError } from "../errors.js";
import type { GroupView, StreamStatsView } from "../live/group.js";
import type { LiveStatus } from "../live/store.js";
import type { StreamView } from "../live/stream.js";
import type { GroupStats, ReadFrom, StreamStats } from "../protocol/types.js";
import type { StreamMessage } from "../read/message.js";
import { type Named, nameOf, type StreamDefinition } from "../schema/define.js";
import type { InvalidMessage } from "../schema/invalid.js";
import { useClient } from "./provider.js";
import { idle, type Nothing, useReadable } from "./readable.js";

const IDLE_STREAM: StreamView = Object.freeze({
  status: "idle",
  messages: Object.freeze([]),
  trimmed: undefined,
  invalid: 0,
  lastInvalid: undefined,
  error: undefined,
});
const IDLE_GROUP: GroupView = Object.freeze({ status: "idle", stats: undefined, error: undefined });
const IDLE_STATS: StreamStatsView = IDLE_GROUP as StreamStatsView;
const IDLE_ALL: UseStreams = Object.freeze({ status: "idle", streams: Object.freeze([]), error: undefined });
const NO_STREAM = idle(IDLE_STREAM);
const NO_GROUP = idle(IDLE_GROUP);
const NO_STATS = idle(IDLE_STATS);

export interface UseStreamOptions {
  /** Where to begin. @defaultValue the last `keep` messages */
  readonly from?: ReadFrom;
  /** How many messages to keep, the newest. @defaultValue 100 */
  readonly keep?: number;
}

export interface UseStream<T = unknown> {
  readonly status: LiveStatus;
  /** Oldest first. A body is parsed when it is looked at. */
  readonly messages: readonly StreamMessage<T>[];
  /** The earliest offset there still was, if messages in between were no longer kept. */
  readonly trimmed: number | undefined;
  /** How many messages the definition's schema has refused: they are left out. */
  readonly invalid: number;
  /** Why, of the last of them. */
  readonly lastInvalid: InvalidMessage | undefined;
  readonly error: PostroadError | undefined;
}

/**
 * Follows the newest messages of a stream; without a name it is `idle`. With a definition's schema, bodies are what it
 * returns. Make the definition once, outside of the component: another schema begins anew.
 */
export function useStream<T = unknown>(name: string | Nothing, options?: UseStreamOptions): UseStream<T>;
export function useStream<Out, In>(
  definition: StreamDefinition<Out, In> | Nothing,
  options?: UseStreamOptions,
): UseStream<Out>;
export function useStream(
  stream: Named | StreamDefinition<unknown, unknown> | Nothing,
  { from, keep = 100 }: UseStreamOptions = {},
): UseStream {
  const client = useClient();
  const name = stream ? nameOf(stream) : undefined;
  const schema = stream && typeof stream !== "string" && "schema" in stream ? stream.schema : undefined;
  const place = JSON.stringify(from ?? { last: keep });
  const source = useMemo(
    () => (name === undefined ? NO_STREAM : client.live.stream(name, JSON.parse(place) as ReadFrom, keep, schema)),
    [client, name, place, keep, schema],
  );
  return useReadable(source, IDLE_STREAM);
}

export interface UseGroup extends Partial<GroupStats> {
  readonly status: LiveStatus;
  readonly stats: GroupStats | undefined;
  readonly error: PostroadError | undefined;
}

/** Follows the numbers of a stream's group: `lag`, `committed`, `leased`. */
export function useGroup(stream: Named | Nothing, group: string | Nothing): UseGroup {
  const client = useClient();
  const name = stream ? nameOf(stream) : undefined;
  const source = useMemo(
    () => (name === undefined || !group ? NO_GROUP : client.live.group(name, group)),
    [client, name, group],
  );
  const view = useReadable(source, IDLE_GROUP);
  return useMemo(() => {
    const { status, stats, error } = view;
    return { ...stats, status, stats, error };
  }, [view]);
}

export interface UseStreamStats extends Partial<StreamStats> {
  readonly status: LiveStatus;
  readonly stats: StreamStats | undefined;
  readonly error: PostroadError | undefined;
}

/** Follows the numbers of a stream and its groups; {@link useStream} follows its messages. */
export function useStreamStats(stream: Named | Nothing): UseStreamStats {
  const client = useClient();
  const name = stream ? nameOf(stream) : undefined;
  const source = useMemo(() => (name === undefined ? NO_STATS : client.live.streamStats(name)), [client, name]);
  const view = useReadable(source, IDLE_STATS);
  return useMemo(() => {
    const { status, stats, error } = view;
    return { ...stats, status, stats, error };
  }, [view]);
}

export interface UseStreams {
  readonly status: LiveStatus;
  readonly streams: readonly StreamStats[];
  readonly error: PostroadError | undefined;
}

/** Follows the numbers of all streams. */
export function useStreams(): UseStreams {
  const client = useClient();
  const source = useMemo(() => {
    const { state } = client.live.queue(null);
    // Watching all tells of queues as well: who shows only streams is not disturbed by them.
    let last = IDLE_ALL;
    const get = (): UseStreams => {
      const { status, streams, error } = state.get();
      if (last.status !== status || last.streams !== streams || last.error !== error) last = { status, streams, error };
      return last;
    };
    return { get, subscribe: (listener: () => void) => state.subscribe(listener) };
  }, [client]);
  return useReadable(source, IDLE_ALL);
}
