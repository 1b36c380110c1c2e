/** Writes to the customer, once for each thing that happened. */
import { idempotent } from "postroad";
import { DATA, joinAs } from "../shared/process.js";
import { type OrderEvent, setUp, step } from "./events.js";
import { Ledger } from "./ledger.js";

const TEXTS: Readonly<Record<string, string>> = {
  created: "We have got your order.",
  shipped: "Your order is on its way.",
  compensated: "We could not deliver, your money is on its way back.",
};

const mq = joinAs("notifications");
const sent = new Ledger(`${DATA}/notifications.jsonl`);
await setUp(mq);

mq.queue<OrderEvent>("notifications").consume(
  idempotent<OrderEvent>(
    sent,
    ({ body: { kind, order } }) => {
      console.log(`${order.id}: ${TEXTS[kind]}`);
      return { mail: kind };
    },
    step,
  ),
  { concurrency: 8, name: "notifications" },
);
