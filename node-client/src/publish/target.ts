/** Where messages go: what a publish frame names (docs/protocol.md §4). */
import type { Header } from "../protocol/frame.js";

export interface Target {
  /** Messages of one tick with the same key share a frame. */
  readonly key: string;
  /** The fields of the frame that name the target. */
  readonly fields: Header;
  readonly kind: "queue" | "stream" | "topic";
}

export const queueTarget = (queue: string, declare: boolean): Target => ({
  key: declare ? `queue ${queue}` : `queue! ${queue}`,
  fields: declare ? { queue } : { queue, declare: false },
  kind: "queue",
});

export const streamTarget = (stream: string, declare: boolean): Target => ({
  key: declare ? `stream ${stream}` : `stream! ${stream}`,
  fields: declare ? { stream } : { stream, declare: false },
  kind: "stream",
});

export const topicTarget = (topic: string, mandatory: boolean): Target => ({
  key: mandatory ? `topic! ${topic}` : `topic ${topic}`,
  fields: mandatory ? { topic, mandatory } : { topic },
  kind: "topic",
});
