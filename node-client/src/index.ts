/** The Postroad client, for Node and browsers. */
export {
  Client,
  type ClientCloseOptions,
  connect,
  type WatchMessageOptions,
  type WatchQueueOptions,
} from "./client.js";
export type { CloseOptions, ConsumeOptions, Consumer, ConsumerEvents, Handler } from "./consume/consumer.js";
export type { Messages, MessagesOptions } from "./consume/iterator.js";
export { DeadLetter, Done, type Follower, type Message, type NackOptions, Retry } from "./consume/message.js";
export * from "./errors.js";
export type { LiveMessage, MessageView } from "./live/message.js";
export type { EventsView, LiveQueue, QueueView } from "./live/queue.js";
export type { LiveStatus, Readable } from "./live/store.js";
export { type ConnectOptions, type Logger, VERSION } from "./options.js";
export type { RequestOptions } from "./pending.js";
export * from "./protocol/types.js";
export type { PublishOptions } from "./publish/attributes.js";
export { capability } from "./publish/capability.js";
export type { Receipt } from "./publish/receipt.js";
export type { PeekOptions, PeekPage, Queue, QueueDetails, QueueOptions } from "./queue.js";
export type { Status } from "./session/session.js";
export type { Connection, Transport, TransportEvents } from "./transport/transport.js";
