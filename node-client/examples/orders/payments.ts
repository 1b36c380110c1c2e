/** Charges an order when it was created, and gives the money back when it was rejected. */
import { setTimeout } from "node:timers/promises";
import { idempotent } from "postroad";
import { DATA, joinAs } from "../shared/process.js";
import { event, type OrderEvent, setUp, step } from "./events.js";
import { Ledger } from "./ledger.js";

const mq = joinAs("payments");
const ledger = new Ledger(`${DATA}/payments.jsonl`);
await setUp(mq);

mq.queue<OrderEvent>("payments").consume(
  idempotent<OrderEvent>(
    ledger,
    async (m) => {
      const { kind, order } = m.body;
      await setTimeout(50); // the bank takes its time
      // The ack, the result and the next event are one record: nobody hears of a payment that is done again.
      return kind === "created"
        ? m.done({ result: { charged: order.amount }, publish: [event("paid", order)] })
        : m.done({ result: { refunded: order.amount }, publish: [event("compensated", order)] });
    },
    step,
  ),
  { concurrency: 8, name: "payments" },
);
