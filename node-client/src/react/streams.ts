"use client";
import { useMemo } from "react";
import type { PostroadError } from "../errors.js";
import type { GroupView } from "../live/group.js";
import type { LiveStatus } from "../live/store.js";
import type { StreamView } from "../live/stream.js";
import type { GroupStats, ReadFrom } from "../protocol/types.js";
import type { StreamMessage } from "../read/message.js";
import { type Named, nameOf, type StreamDefinition } from "../schema/define.js";
import { useClient } from "./provider.js";
import { idle, type Nothing, useReadable } from "./readable.js";

const IDLE_STREAM: StreamView = Object.freeze({
  status: "idle",
  messages: Object.freeze([]),
  trimmed: undefined,
  error: undefined,
});
const IDLE_GROUP: GroupView = Object.freeze({ status: "idle", stats: undefined, error: undefined });
const NO_STREAM = idle(IDLE_STREAM);
const NO_GROUP = idle(IDLE_GROUP);

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
  readonly error: PostroadError | undefined;
}

/** Follows the newest messages of a stream; without a name it is `idle`. The schema of a definition gives the type only. */
export function useStream<T = unknown>(name: string | Nothing, options?: UseStreamOptions): UseStream<T>;
export function useStream<Out, In>(
  definition: StreamDefinition<Out, In> | Nothing,
  options?: UseStreamOptions,
): UseStream<Out>;
export function useStream(stream: Named | Nothing, { from, keep = 100 }: UseStreamOptions = {}): UseStream {
  const client = useClient();
  const name = stream ? nameOf(stream) : undefined;
  const place = JSON.stringify(from ?? { last: keep });
  const source = useMemo(
    () => (name === undefined ? NO_STREAM : client.live.stream(name, JSON.parse(place) as ReadFrom, keep)),
    [client, name, place, keep],
  );
  return useReadable(source, IDLE_STREAM);
}

export interface UseGroup extends Partial<GroupStats> {
  readonly status: LiveStatus;
  readonly stats: GroupStats | undefined;
  readonly error: PostroadError | undefined;
}

/** Follows the numbers of a stream's group: `lag`, `committed`, `leased`. They are asked for each second. */
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
