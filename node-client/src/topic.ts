import type { Internals } from "./internals.js";
import type { PublishOptions } from "./publish/attributes.js";
import { Destination } from "./publish/destination.js";
import type { Receipt } from "./publish/receipt.js";
import { type Target, topicTarget } from "./publish/target.js";
import { type Named, nameOf, type TopicDefinition } from "./schema/define.js";

export interface TopicPublishOptions extends PublishOptions {
  /** Refused with `Unroutable` if no binding matches. @defaultValue `false` */
  readonly mandatory?: boolean;
}

/** The receipt of a publish to a topic. */
export type TopicReceipt = Receipt & { readonly routed: number };

/** A dotted name that messages are published to; bindings copy them to queues and streams: all get it, or none. */
export class Topic<T = unknown, In = T> extends Destination<In, TopicPublishOptions, TopicReceipt> {
  readonly #plain: Target;
  readonly #mandatory: Target;

  /** @internal */
  constructor(internals: Internals, { name, schema }: TopicDefinition<T, In>) {
    super(name, internals.publisher, schema);
    this.#plain = topicTarget(name, false);
    this.#mandatory = topicTarget(name, true);
  }

  /** @internal */
  protected target(options: TopicPublishOptions | undefined): Target {
    return options?.mandatory === true ? this.#mandatory : this.#plain;
  }
}

/** Where a binding copies to. */
export type BindingTarget = (
  | { readonly queue: Named; readonly stream?: never }
  | { readonly stream: Named; readonly queue?: never }
) & {
  /** Only messages with these headers: all of them (default) or any. */
  readonly headers?: { readonly match?: "all" | "any"; readonly values: Readonly<Record<string, string>> };
};

export interface Binding {
  readonly topic: string;
  readonly queue?: string;
  readonly stream?: string;
  readonly headers?: { readonly match: "all" | "any"; readonly values: Readonly<Record<string, string>> } | null;
}

export async function changeBinding(
  { link }: Internals,
  op: "bind" | "unbind",
  pattern: string,
  { queue, stream, headers }: BindingTarget,
): Promise<{ changed: boolean }> {
  const target =
    queue !== undefined ? { queue: nameOf(queue) } : stream !== undefined ? { stream: nameOf(stream) } : {};
  const answer = await link.request({ op, topic: pattern, ...target, ...(headers === undefined ? {} : { headers }) });
  return { changed: answer["changed"] === true };
}
