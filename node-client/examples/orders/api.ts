/** Takes orders: 202 means that the order is stored and will end as shipped or compensated. */
import { randomUUID } from "node:crypto";
import express from "express";
import { connect } from "postroad";
import { closeOnSignals, health } from "postroad/express";
import { BROKER, PORT } from "../shared/process.js";
import { type OrderEvent, setUp } from "./events.js";

const mq = connect(BROKER, { name: "orders-api" });
await setUp(mq);

const app = express();
app.use(express.json());
app.get("/health", health(mq));

app.post("/orders", async (req, res) => {
  const { item, quantity = 1, amount } = req.body ?? {};
  if (typeof item !== "string" || !Number.isSafeInteger(quantity) || quantity < 1 || !Number.isSafeInteger(amount)) {
    res.status(400).json({ error: "An order has an item, a quantity and an amount in cents." });
    return;
  }
  // A caller that got no answer asks again with the same key; within 5 minutes the order is stored once.
  const id = req.get("idempotency-key") ?? randomUUID();
  const order = { id, item, quantity, amount };
  const receipt = await mq
    .topic<OrderEvent>("orders.created")
    .publish({ kind: "created", order }, { key: id, dedupKey: id, mandatory: true });
  res.status(202).json({ order, message: receipt.id, watch: receipt.watch, duplicate: receipt.duplicate });
});

const server = app.listen(PORT, "127.0.0.1", () => console.log(`orders: http://127.0.0.1:${PORT}/orders`));
closeOnSignals(server, mq, { onClosed: () => {} });
