/** The Postroad client, for Node and browsers. */
export { CallFailed, type CallOptions, CallTimeout } from "./call.js";
export {
  Client,
  type ClientCloseOptions,
  connect,
  type WatchMessageOptions,
  type WatchQueueOptions,
} from "./client.js";
export type { BatchConsumer, BatchHandler, BatchOptions } from "./consume/batch.js";
export type { Consumer, Handler } from "./consume/consumer.js";
export { type IdempotencyStore, idempotent, memoryStore, type Outcome } from "./consume/idempotent.js";
export type { Messages, MessagesOptions } from "./consume/iterator.js";
export {
  BatchDone,
  DeadLetter,
  Done,
  type Follower,
  type LogLevel,
  type Message,
  type NackOptions,
  Retry,
} from "./consume/message.js";
export type { CloseOptions, ConsumeOptions, ConsumerEvents } from "./consume/worker.js";
export * from "./errors.js";
export type { Group, GroupConsumeOptions } from "./group.js";
export type { GroupView } from "./live/group.js";
export type { LiveMessage, MessageView } from "./live/message.js";
export type { EventsView, LiveQueue, QueueView } from "./live/queue.js";
export type { LiveStatus, Readable } from "./live/store.js";
export type { StreamView } from "./live/stream.js";
export type { Moved, OperationOptions, OperationProgress, RedriveOptions } from "./operation.js";
export { type ConnectOptions, type Logger, VERSION } from "./options.js";
export type { RequestOptions } from "./pending.js";
export * from "./protocol/types.js";
export type { PublishOptions } from "./publish/attributes.js";
export { capability } from "./publish/capability.js";
export type { InlineOptions } from "./publish/inline.js";
export type { Receipt } from "./publish/receipt.js";
export type { PeekOptions, PeekPage, Queue, QueueDetails, QueueOptions, SearchOptions } from "./queue.js";
export type { StreamMessage } from "./read/message.js";
export type { Reader, ReadOptions } from "./read/reader.js";
export type { ScheduleInfo, ScheduleSpec, Schedules } from "./schedules.js";
export type { OnInvalid } from "./schema/check.js";
export {
  defineQueue,
  defineStream,
  defineTopic,
  type Named,
  type QueueDefinition,
  type StreamDefinition,
  type TopicDefinition,
} from "./schema/define.js";
export { InvalidMessage } from "./schema/invalid.js";
export type { SchemaIssue, SchemaResult, StandardSchema } from "./schema/standard.js";
export type { Status } from "./session/session.js";
export type { ReplayOptions, Stream, StreamOptions, StreamPublishOptions } from "./stream.js";
export type { Binding, BindingTarget, Topic, TopicPublishOptions, TopicReceipt } from "./topic.js";
export type { Connection, Transport, TransportEvents } from "./transport/transport.js";
