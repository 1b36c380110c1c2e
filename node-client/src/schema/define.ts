/** Queues, streams and topics described once: name, type of bodies, settings. */
import type { QueueSettings, StreamSettings } from "../protocol/types.js";
import type { OnInvalid } from "./check.js";
import type { StandardSchema } from "./standard.js";

interface Described<Out, In> {
  readonly name: string;
  /** Bodies are held against it when they are published and when they are delivered; handlers get what it returns. */
  readonly schema?: StandardSchema<In, Out>;
  /**
   * What becomes of a delivered message that the schema refuses: `dead-letter` puts it aside at once, with the reason;
   * `reject` nacks it as a failed attempt, so that it comes back (while several versions of a consumer run).
   *
   * @defaultValue `"dead-letter"`
   */
  readonly onInvalid?: OnInvalid;
}

export interface QueueDefinition<Out = unknown, In = Out> extends Described<Out, In> {
  readonly kind: "queue";
  /** Used by `queue.declare()`. */
  readonly settings?: QueueSettings;
}

export interface StreamDefinition<Out = unknown, In = Out> extends Described<Out, In> {
  readonly kind: "stream";
  /** Used by `stream.declare()`. */
  readonly settings?: StreamSettings;
}

export interface TopicDefinition<Out = unknown, In = Out> extends Omit<Described<Out, In>, "onInvalid"> {
  readonly kind: "topic";
}

/** A name, or a definition that has one. */
export type Named = string | { readonly name: string };

export const nameOf = (named: Named): string => (typeof named === "string" ? named : named.name);

/** Describes a queue. `Out` is what handlers get, `In` what publishers give; both follow from the schema. */
export function defineQueue<Out = unknown, In = Out>(
  definition: Omit<QueueDefinition<Out, In>, "kind">,
): QueueDefinition<Out, In> {
  return Object.freeze({ ...definition, kind: "queue" });
}

/** Describes a stream: see {@link defineQueue}. */
export function defineStream<Out = unknown, In = Out>(
  definition: Omit<StreamDefinition<Out, In>, "kind">,
): StreamDefinition<Out, In> {
  return Object.freeze({ ...definition, kind: "stream" });
}

/** Describes a topic: its schema is applied at publish. What queues bound to it hold is for their definitions. */
export function defineTopic<Out = unknown, In = Out>(
  definition: Omit<TopicDefinition<Out, In>, "kind">,
): TopicDefinition<Out, In> {
  return Object.freeze({ ...definition, kind: "topic" });
}
