/** What the server says about itself, queues and messages (docs/protocol.md §2, §3, §6, §7), in camelCase. */

export interface Limits {
  readonly frameBytesMax: number;
  readonly bodyBytesMax: number;
  readonly messagesMax: number;
  readonly headersMax: number;
  readonly headersBytesMax: number;
  readonly prefetchMax: number;
  readonly subscriptionsMax: number;
  readonly leaseMsMax: number;
}

/** The defaults of docs/protocol.md §1.5, in force until `welcome` says others. */
export const DEFAULT_LIMITS: Limits = Object.freeze({
  frameBytesMax: 16_777_216,
  bodyBytesMax: 1_048_576,
  messagesMax: 8_192,
  headersMax: 64,
  headersBytesMax: 16_384,
  prefetchMax: 16_384,
  subscriptionsMax: 256,
  leaseMsMax: 43_200_000,
});

export interface Welcome {
  readonly server: { readonly name: string; readonly version: string };
  readonly protocol: number;
  /** Names the data set; another one means that everything before is forgotten. */
  readonly store: string;
  /** Counts the starts of that data set. */
  readonly epoch: number;
  readonly engine: string;
  /** `sync`: a confirm means synced to disk; `os`: written, not synced; `memory`: neither. */
  readonly durability: "sync" | "os" | "memory";
  readonly capabilities: Readonly<Record<string, "native" | "emulated" | "gateway-local" | "unsupported">>;
  /** Why a capability is unsupported, in a sentence for people. */
  readonly reasons?: Readonly<Record<string, string>>;
  readonly limits: Limits;
  readonly session?: { readonly id: string; readonly lastFrame: number };
  readonly now: number;
}

export interface QueueSettings {
  readonly leaseMs?: number;
  readonly attemptsMax?: number;
  readonly backoffMs?: number;
  readonly backoffMaxMs?: number;
  /** A queue name; `null` drops exhausted messages. */
  readonly deadLetter?: string | null;
  readonly expireMs?: number | null;
  /** Messages leased at once, over all consumers. */
  readonly concurrencyMax?: number | null;
  /** Deliveries a second, over all consumers. */
  readonly rateMax?: number | null;
  readonly lengthMax?: number | null;
  readonly bytesMax?: number | null;
  /** What a publish beyond `lengthMax` or `bytesMax` does; the oldest that nobody holds make room. @defaultValue `"reject"` */
  readonly overflow?: "reject" | "drop_oldest" | "dead_letter";
}

/** Messages are kept until the first of these is exceeded; with `compaction`, those with a key until another of their key comes. */
export interface StreamSettings {
  /** @defaultValue 604,800,000; `null` for ever */
  readonly retentionMs?: number | null;
  readonly retentionBytes?: number | null;
  readonly retentionCount?: number | null;
  /** Nothing is let go before every group has settled it. @defaultValue `false` */
  readonly keepUntilAcked?: boolean;
  /**
   * Keeps the newest message of each key for ever, and lets go of the older ones in the background; the limits above are then for
   * messages without a key. Chosen while the stream is empty. @defaultValue `false`
   */
  readonly compaction?: boolean;
  /** With `compaction`: how long the tombstone of a key is kept: see {@link Stream.tombstone}. @defaultValue 86,400,000 */
  readonly tombstoneMs?: number;
}

/** Where a group begins: an offset, or a time in milliseconds since the epoch. */
export type StartFrom = "latest" | "earliest" | { readonly offset: number } | { readonly at: number };

/** Where a reader begins; `last: n` is n messages before the end. */
export type ReadFrom = StartFrom | { readonly last: number };

export interface GroupStats extends QueueStats {
  /** Its lowest unsettled offset. */
  readonly committed: number;
  /** How many messages it has not settled. */
  readonly lag: number;
  /** What it lost to retention. */
  readonly trimmedTotal: number;
  /** What it had not settled when compaction let go of it: a newer message of the same key followed. */
  readonly compactedTotal?: number;
}

export interface StreamStats {
  readonly name: string;
  /** The first offset that is kept. */
  readonly earliest: number;
  /** The offset of the next message. */
  readonly next: number;
  readonly messages: number;
  /** `null` where the engine cannot tell. */
  readonly bytes: number | null;
  readonly oldestMs: number | null;
  readonly publishedTotal?: number;
  readonly trimmedTotal?: number;
  /** What compaction let go of. */
  readonly compactedTotal?: number;
  readonly settings: Required<StreamSettings>;
  /** Each named `<stream>/<group>`. */
  readonly groups: readonly GroupStats[];
}

export interface QueueStats {
  readonly name: string;
  /** Could be delivered now. */
  readonly ready: number;
  /** Wait for an earlier message of their ordering key. `null` where the engine cannot tell. */
  readonly parked: number | null;
  /** `null` where the engine cannot tell: RabbitMQ. */
  readonly delayed: number | null;
  readonly retrying: number | null;
  readonly leased: number;
  readonly consumers: number;
  readonly paused: boolean;
  readonly publishedTotal: number;
  readonly ackedTotal: number;
  readonly deadTotal: number;
  readonly retriedTotal?: number;
  /** Messages a second over the last 5 s. */
  readonly ratePublished: number;
  readonly rateAcked: number;
  /** Age of the oldest unsettled message. */
  readonly oldestMs: number | null;
  readonly bytes: number | null;
  readonly deadLetterOf?: string;
}

export interface ConsumerInfo {
  readonly consumer: string;
  readonly subscription: string;
  readonly client: string;
  readonly prefetch: number;
  readonly leased: number;
  readonly oldestLeaseMs: number | null;
  readonly connectedAt: number;
}

export type MessageState =
  | "queued"
  | "delayed"
  | "delivered"
  | "retrying"
  | "done"
  | "dead"
  | "expired"
  | "purged"
  | "cancelled"
  /** In a stream without groups. */
  | "kept"
  /** Published to a topic that no binding matched. */
  | "unrouted";

export interface TimelineEntry {
  readonly at: number;
  readonly kind:
    | "published"
    | "delivered"
    | "progress"
    | "returned"
    | "retrying"
    | "acked"
    | "dead"
    | "redriven"
    | "expired"
    | "purged"
    | "cancelled";
  readonly attempt?: number;
  readonly consumer?: string;
  readonly reason?: string;
  readonly due?: number;
  readonly note?: string;
  readonly percent?: number;
  readonly queue?: string;
  readonly position?: number;
}

export interface Progress {
  readonly percent?: number;
  readonly note?: string;
  readonly at?: number;
}

/** A line that a handler said with `m.log`. */
export interface LogLine {
  /** Counts the lines of the message from 1; what is missing before the first is no longer kept. */
  readonly n: number;
  readonly at: number;
  readonly level: "debug" | "info" | "warn" | "error";
  readonly text: string;
  readonly attempt: number;
  readonly consumer: string;
  /** The queue, or `<stream>/<group>`, whose handler it was. */
  readonly queue: string;
}

/** Where a copy of a message is and how it fares; a stream's group is named `<stream>/<group>`. */
export interface Placement {
  readonly queue: string;
  readonly sequence: number;
  readonly state: MessageState;
  readonly attempts: number;
  readonly attemptsMax: number;
  readonly due?: number | null;
  readonly reason?: string | null;
  readonly consumer?: string | null;
  readonly progress?: Progress | null;
  readonly result?: unknown;
  readonly timeline: readonly TimelineEntry[];
}

export interface MessageInfo {
  readonly id: string;
  readonly queue: string;
  readonly sequence: number;
  readonly state: MessageState;
  readonly type: "json" | "text" | "bytes";
  readonly size: number;
  readonly publishedAt: number;
  readonly attempts: number;
  readonly attemptsMax: number;
  readonly headers?: Readonly<Record<string, string>> | null;
  readonly key?: string | null;
  /** The topic it was published to, if it was one. */
  readonly topic?: string;
  readonly priority?: number | null;
  readonly due?: number | null;
  readonly reason?: string | null;
  readonly consumer?: string | null;
  readonly progress?: Progress | null;
  readonly result?: unknown;
  readonly timeline: readonly TimelineEntry[];
  /** Of a message that went to more than one queue or group: each of them. The fields above are those of the first. */
  readonly placements?: readonly Placement[];
  /** JSON, a string, or base64, by `type`; absent for those who may not see it. */
  readonly body?: unknown;
}

export type EventKind =
  | "declared"
  | "deleted"
  | "published"
  | "acked"
  | "returned"
  | "retrying"
  | "dead"
  | "redriven"
  | "purged"
  | "expired"
  | "cancelled"
  | "paused"
  | "resumed"
  | "trimmed"
  | "compacted"
  | "reset"
  | "bound"
  | "unbound"
  | "scheduled"
  | "unscheduled"
  /** The firing of a schedule, by its target. */
  | "refused"
  | "started";

/** The summary of one durable record. */
export interface QueueEvent {
  readonly position: number;
  readonly at: number;
  readonly kind: EventKind;
  readonly queue?: string;
  /** Of a publish to a topic, with the queues it went to. */
  readonly topic?: string;
  readonly queues?: readonly string[];
  /** Of a binding. */
  readonly pattern?: string;
  readonly schedule?: string;
  /** Exact, while `ids` names at most 20. */
  readonly count?: number;
  readonly ids?: readonly string[];
  readonly consumer?: string;
  readonly attempt?: number;
  readonly reason?: string;
  readonly due?: number;
  readonly to?: string;
}

/** Who got what since the last state. */
export interface DeliveryNotice {
  readonly id: string;
  readonly consumer: string;
  readonly attempt: number;
  readonly at: number;
}

/** A long operation that goes on. */
export interface OperationInfo {
  readonly id: string;
  readonly kind: "redrive" | "discard" | "purge" | "replay";
  /** What it works on; of a replay, where the messages are copied to. */
  readonly queue: string;
  /** Of a replay. */
  readonly stream?: string;
  /** Messages moved or settled so far. */
  readonly done: number;
  /** What it may come to at most; null if that is not known. */
  readonly total: number | null;
  readonly state: "running" | "waiting";
  readonly startedAt: number;
}

export interface Overview {
  readonly queues: readonly QueueStats[];
  readonly connections: number;
  readonly engine: string;
  readonly durability: Welcome["durability"];
  readonly capabilities?: Welcome["capabilities"];
  readonly reasons?: Welcome["reasons"];
  readonly uptimeMs: number;
  /** How far the server's wall clock is ahead of the time that its records, delays and leases go by. */
  readonly clockSkewMs?: number;
  /** Not null while nothing is deleted for its age, because the clock was `aheadMs` past the last record at the start. */
  readonly clockHeld?: { readonly aheadMs: number; readonly until: number } | null;
  readonly operations?: readonly OperationInfo[];
}
