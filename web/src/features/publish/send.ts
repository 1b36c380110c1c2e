import type { Client } from "postroad";

/** What messages can be published to. */
export interface Destination {
  readonly kind: "queue" | "stream" | "topic";
  readonly name: string;
}

export interface Sent {
  readonly id: string;
  /** Of a topic: how many targets got it. */
  readonly routed?: number | undefined;
}

interface Options {
  readonly delayMs?: number;
  readonly priority?: number;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export async function send(mq: Client, { kind, name }: Destination, body: unknown, options: Options): Promise<Sent> {
  if (kind === "queue") return mq.queue(name).publish(body, options);
  if (kind === "topic") return mq.topic(name).publish(body, options);
  const { delayMs: _delay, priority: _priority, ...rest } = options;
  return mq.stream(name).publish(body, rest);
}
