import { connect } from "postroad";

const mq = connect(process.env.POSTROAD_URL ?? "ws://127.0.0.1:7070/ws");

// Who wants to know of orders says so by a binding; who takes an order does not need to know them.
await mq.queue("billing").declare();
await mq.stream("audit").declare({ retentionMs: 30 * 86_400_000 });
await mq.bind("orders.*", { queue: "billing" });
await mq.bind("orders.#", { stream: "audit" });

const { routed } = await mq.topic("orders.created").publish({ order: 7 });
console.log(`went to ${routed}`);

const report = mq.stream("audit").group("report");
await Promise.all([
  new Promise((resolve) => {
    mq.queue("billing").consume((m) => {
      console.log(`bill for order ${m.body.order}`);
      resolve();
    });
  }),
  new Promise((resolve) => {
    const handler = (m) => {
      console.log(`report: order ${m.body.order} at offset ${m.sequence}`);
      resolve();
    };
    report.consume(handler, { from: "earliest" });
  }),
]);

for await (const m of mq.stream("audit").read({ from: "earliest" })) {
  console.log(`audit: order ${m.body.order}`);
  break;
}
await mq.close();
