"use client";
import { useCallback, useMemo, useRef, useState, useSyncExternalStore } from "react";
import type { Client } from "../client.js";
import type { PostroadError } from "../errors.js";
import { asPostroadError } from "../errors.js";
import { type MessageView, NO_LOGS } from "../live/message.js";
import type { EventsView, QueueView } from "../live/queue.js";
import type { LiveStatus, Readable } from "../live/store.js";
import type {
  DeliveryNotice,
  LogLine,
  MessageInfo,
  MessageState,
  Placement,
  Progress,
  QueueEvent,
  QueueStats,
  TimelineEntry,
  Welcome,
} from "../protocol/types.js";
import type { PublishOptions } from "../publish/attributes.js";
import type { Receipt } from "../publish/receipt.js";
import {
  type Named,
  nameOf,
  type QueueDefinition,
  type StreamDefinition,
  type TopicDefinition,
} from "../schema/define.js";
import type { Status } from "../session/session.js";
import { useClient } from "./provider.js";
import { idle, type Nothing, useReadable } from "./readable.js";

/** `idle` is for hooks that have nothing to follow, and for rendering on a server. */
const IDLE_MESSAGE: MessageView = Object.freeze({
  status: "idle",
  message: undefined,
  logs: NO_LOGS,
  error: undefined,
});
const IDLE_QUEUE: QueueView = Object.freeze({
  status: "idle",
  stats: undefined,
  queues: Object.freeze([]),
  streams: Object.freeze([]),
  deliveries: Object.freeze([]),
  error: undefined,
});
const IDLE_EVENTS: EventsView = Object.freeze({
  status: "idle",
  events: Object.freeze([]),
  skipped: 0,
  trimmed: undefined,
  error: undefined,
});
const NO_TIMELINE: readonly TimelineEntry[] = Object.freeze([]);
const NO_PLACEMENTS: readonly Placement[] = Object.freeze([]);

const NO_MESSAGE = idle(IDLE_MESSAGE);
const NO_QUEUE = idle(IDLE_QUEUE);
const NO_EVENTS = idle(IDLE_EVENTS);

export interface UseConnection {
  readonly status: Status | "idle";
  readonly latencyMs: number | undefined;
  readonly welcome: Welcome | undefined;
  readonly error: PostroadError | undefined;
}

const IDLE_CONNECTION: UseConnection = Object.freeze({
  status: "idle",
  latencyMs: undefined,
  welcome: undefined,
  error: undefined,
});

/** The state of the connection. */
export function useConnection(): UseConnection {
  const client = useClient();
  const source = useMemo((): Readable<UseConnection> => {
    const read = (): UseConnection => {
      const { status, latencyMs, welcome, error } = client;
      return Object.freeze({ status, latencyMs, welcome, error });
    };
    let snapshot = read();
    return {
      get: () => {
        if (snapshot.status !== client.status || snapshot.welcome !== client.welcome || snapshot.error !== client.error)
          snapshot = read();
        return snapshot;
      },
      subscribe: (listener) => client.onStatus(listener),
    };
  }, [client]);
  return useSyncExternalStore(source.subscribe, source.get, () => IDLE_CONNECTION);
}

export interface UseMessage {
  readonly status: LiveStatus;
  readonly state: MessageState | undefined;
  readonly attempts: number;
  readonly attemptsMax: number | undefined;
  readonly progress: Progress | undefined;
  readonly timeline: readonly TimelineEntry[];
  readonly consumer: string | undefined;
  readonly result: unknown;
  /** Why the last attempt failed. */
  readonly reason: string | undefined;
  /** When it is tried next, or delivered first. */
  readonly due: number | undefined;
  /** Each queue and group that has a copy of it; the fields above are those of the first. Empty if there is one only. */
  readonly placements: readonly Placement[];
  /** What its handlers said with `m.log`, oldest first: the last 200 lines. */
  readonly logs: readonly LogLine[];
  /** Everything the server says about it. */
  readonly message: MessageInfo | undefined;
  /** Why it cannot be followed. */
  readonly error: PostroadError | undefined;
}

/** Follows one message. `watch` is the capability from its receipt; without an id it is `idle`. */
export function useMessage(id: string | Nothing, { watch }: { readonly watch?: string | Nothing } = {}): UseMessage {
  const client = useClient();
  const source = useMemo(() => (id ? client.live.message(id, watch ?? undefined) : NO_MESSAGE), [client, id, watch]);
  const view = useReadable(source, IDLE_MESSAGE);
  return useMemo(() => flatten(view), [view]);
}

function flatten({ status, message, logs, error }: MessageView): UseMessage {
  return {
    status,
    state: message?.state,
    attempts: message?.attempts ?? 0,
    attemptsMax: message?.attemptsMax,
    progress: message?.progress ?? undefined,
    timeline: message?.timeline ?? NO_TIMELINE,
    consumer: message?.consumer ?? undefined,
    result: message?.result ?? undefined,
    reason: message?.reason ?? undefined,
    due: message?.due ?? undefined,
    placements: message?.placements ?? NO_PLACEMENTS,
    logs,
    message,
    error,
  };
}

export interface UseQueue extends Partial<QueueStats> {
  readonly status: LiveStatus;
  /** Everything that is not settled: ready, delayed, retrying and leased. */
  readonly depth: number | undefined;
  readonly stats: QueueStats | undefined;
  /** Who got what since the state before. */
  readonly deliveries: readonly DeliveryNotice[];
  readonly error: PostroadError | undefined;
}

/** Follows a queue's numbers. Events do not render it again: they are for {@link useEvents}. */
export function useQueue(queue: Named | Nothing): UseQueue {
  const client = useClient();
  const name = queue ? nameOf(queue) : undefined;
  const source = useMemo(() => (name ? client.live.queue(name).state : NO_QUEUE), [client, name]);
  const view = useReadable(source, IDLE_QUEUE);
  return useMemo(() => {
    const { status, stats, deliveries, error } = view;
    const depth =
      stats === undefined
        ? undefined
        : stats.ready + (stats.parked ?? 0) + (stats.delayed ?? 0) + (stats.retrying ?? 0) + stats.leased;
    return { ...stats, status, depth, stats, deliveries, error };
  }, [view]);
}

export interface UseQueues {
  readonly status: LiveStatus;
  readonly queues: readonly QueueStats[];
  readonly deliveries: readonly DeliveryNotice[];
  readonly error: PostroadError | undefined;
}

/** Follows the numbers of all queues. */
export function useQueues(): UseQueues {
  const client = useClient();
  const source = useMemo(() => client.live.queue(null).state, [client]);
  const { status, queues, deliveries, error } = useReadable(source, IDLE_QUEUE);
  return useMemo(() => ({ status, queues, deliveries, error }), [status, queues, deliveries, error]);
}

export interface UseEventsOptions {
  /** How many events to keep, at most 1,000. @defaultValue 100 */
  readonly last?: number;
  /** Shows what was there when it became true; nothing is lost meanwhile, up to 1,000 events. */
  readonly paused?: boolean;
}

export interface UseEvents {
  readonly status: LiveStatus;
  /** Oldest first. */
  readonly events: readonly QueueEvent[];
  readonly skipped: number;
  readonly trimmed: number | undefined;
  readonly error: PostroadError | undefined;
}

/** Follows the events of a queue, or of all for `null`. Every event is in it, not only the latest. `undefined` is `idle`. */
export function useEvents(queue: Named | Nothing, { last = 100, paused = false }: UseEventsOptions = {}): UseEvents {
  const client = useClient();
  const name = queue ? nameOf(queue) : queue === "" ? undefined : queue;
  const source = useMemo(
    () => (name === undefined ? NO_EVENTS : client.live.queue(name).events(last)),
    [client, name, last],
  );
  const view = useReadable(source, IDLE_EVENTS);
  const shown = useMemo(() => {
    const { status, events, skipped, trimmed, error } = view;
    return { status, events: events.length > last ? events.slice(-last) : events, skipped, trimmed, error };
  }, [view, last]);
  const [frozen, setFrozen] = useState<UseEvents | undefined>(undefined);
  if (paused !== (frozen !== undefined)) setFrozen(paused ? shown : undefined);
  return paused ? (frozen ?? shown) : shown;
}

export interface UsePublish<T> {
  /** Publishes, and rejects as `queue.publish` does. The same function in every render. */
  readonly publish: (body: T, options?: PublishOptions) => Promise<Receipt>;
  readonly status: "idle" | "pending" | "done" | "error";
  /** Of the last publish. */
  readonly receipt: Receipt | undefined;
  readonly error: PostroadError | undefined;
  readonly reset: () => void;
}

type PublishState = Pick<UsePublish<never>, "status" | "receipt" | "error">;
const NOT_PUBLISHED: PublishState = Object.freeze({ status: "idle", receipt: undefined, error: undefined });

/** Publishes to a queue, or to what a definition describes, and says how the last publish went. */
export function usePublish<T = unknown>(name: string): UsePublish<T>;
export function usePublish<Out, In>(definition: Definition<Out, In>): UsePublish<In>;
export function usePublish<Out, In>(target: string | Definition<Out, In>): UsePublish<In> {
  const client = useClient();
  const [state, setState] = useState(NOT_PUBLISHED);
  const latest = useRef(0);
  const publish = useCallback(
    async (body: In, options?: PublishOptions): Promise<Receipt> => {
      const turn = ++latest.current;
      const show = (next: PublishState): void => {
        if (turn === latest.current) setState(next);
      };
      show({ status: "pending", receipt: undefined, error: undefined });
      try {
        const receipt = await destinationOf(client, target).publish(body, options);
        show({ status: "done", receipt, error: undefined });
        return receipt;
      } catch (thrown) {
        show({ status: "error", receipt: undefined, error: asPostroadError(thrown) });
        throw thrown;
      }
    },
    [client, target],
  );
  const reset = useCallback(() => {
    latest.current++;
    setState(NOT_PUBLISHED);
  }, []);
  return useMemo(() => ({ publish, ...state, reset }), [publish, state, reset]);
}

type Definition<Out, In> = QueueDefinition<Out, In> | StreamDefinition<Out, In> | TopicDefinition<Out, In>;

interface Publishing<In> {
  publish(body: In, options?: PublishOptions): Promise<Receipt>;
}

function destinationOf<Out, In>(client: Client, target: string | Definition<Out, In>): Publishing<In> {
  if (typeof target === "string") return client.queue(target);
  if (target.kind === "stream") return client.stream(target);
  return target.kind === "topic" ? client.topic(target) : client.queue(target);
}
