/** The client's own shapes, under one roof, so that the app imports them from one place. */
export type {
  Binding,
  ConsumerInfo,
  DeliveryNotice,
  GroupStats,
  MessageInfo,
  MessageState,
  QueueEvent,
  QueueSettings,
  QueueStats,
  ScheduleInfo,
  StartFrom,
  StreamMessage,
  StreamSettings,
  StreamStats,
  TimelineEntry,
} from "postroad";

import type { MessageInfo, TimelineEntry } from "postroad";

/** A message in a list: lists come without timelines, and dead letters say since when they are dead. */
export interface ListedMessage extends Omit<MessageInfo, "timeline"> {
  readonly timeline?: readonly TimelineEntry[];
  readonly deadAt?: number;
}
