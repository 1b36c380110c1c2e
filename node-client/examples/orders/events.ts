/** What happens to orders, and who hears of it. */
import type { Client, Follower } from "postroad";

export interface Order {
  readonly id: string;
  readonly item: string;
  readonly quantity: number;
  readonly amount: number;
}

export type Kind = "created" | "paid" | "rejected" | "shipped" | "compensated";

export interface OrderEvent {
  readonly kind: Kind;
  readonly order: Order;
}

const HEARS: Readonly<Record<string, readonly Kind[]>> = {
  payments: ["created", "rejected"],
  inventory: ["created", "paid"],
  notifications: ["created", "shipped", "compensated"],
};

/** Declares queues and bindings; every program does so, and the first one makes them. */
export async function setUp(mq: Client): Promise<void> {
  for (const [queue, kinds] of Object.entries(HEARS)) {
    await mq.queue(queue).declare();
    for (const kind of kinds) await mq.bind(`orders.${kind}`, { queue });
  }
  await mq.stream("order-log").declare();
  await mq.bind("orders.*", { stream: "order-log" });
}

/**
 * An event to be published with an ack. The order's id is the ordering key: a queue hands over the events of one order
 * one at a time and as they happened, so a refund never overtakes its charge, nor a shipment its reservation.
 */
export const event = (kind: Kind, order: Order): Follower => ({
  topic: `orders.${kind}`,
  key: order.id,
  body: { kind, order } satisfies OrderEvent,
});

/** What a service remembers having done: not the message's id, because an order may be sent again after its dedup window. */
export const step = ({ body: { kind, order } }: { readonly body: OrderEvent }): string => `${kind}/${order.id}`;
