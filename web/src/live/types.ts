/** The client's own shapes, under one roof, so that the app imports them from one place. */
export type {
  ConsumerInfo,
  DeliveryNotice,
  MessageInfo,
  MessageState,
  QueueEvent,
  QueueSettings,
  QueueStats,
  TimelineEntry,
} from "postroad";
