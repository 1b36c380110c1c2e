/** Reserves an order when it was created, and ships it when it was paid. What it does not have is rejected. */
import { idempotent } from "postroad";
import { DATA, joinAs } from "../shared/process.js";
import { event, type Order, type OrderEvent, setUp, step } from "./events.js";
import { Ledger } from "./ledger.js";

interface Result {
  readonly reserved?: Order | null;
  readonly shipped?: boolean;
}

const mq = joinAs("inventory");
const ledger = new Ledger(`${DATA}/inventory.jsonl`);
const stock = new Map(Object.entries({ lamp: 120, chair: 30 }));
for (const { reserved } of ledger.results() as Result[]) if (reserved) take(reserved);
await setUp(mq);

mq.queue<OrderEvent>("inventory").consume(
  idempotent<OrderEvent>(
    ledger,
    (m) => {
      const { kind, order } = m.body;
      if (kind === "created") {
        if (take(order)) return { reserved: order } satisfies Result;
        return m.done({ result: { reserved: null } satisfies Result, publish: [event("rejected", order)] });
      }
      // Paid. The key has kept the order's creation before this, so it is known whether there is a reservation.
      const creation = ledger.get(`created/${order.id}`)?.result as Result | undefined;
      if (creation === undefined) throw new Error("Its creation is in inventory.dead.");
      if (creation.reserved === null) return { shipped: false } satisfies Result; // its refund is on the way
      return m.done({ result: { shipped: true } satisfies Result, publish: [event("shipped", order)] });
    },
    step,
  ),
  { concurrency: 8, name: "inventory" },
);

function take({ item, quantity }: Order): boolean {
  const left = (stock.get(item) ?? 0) - quantity;
  if (left >= 0) stock.set(item, left);
  return left >= 0;
}
