import { CallFailed, connect, DeadLetter } from "postroad";

const mq = connect(process.env.POSTROAD_URL ?? "ws://127.0.0.1:7070/ws");
const roots = mq.queue("roots");

roots.consume((m) => {
  if (m.body < 0) throw new DeadLetter("a negative number has no root");
  return Math.sqrt(m.body);
});

console.log(await Promise.all([4, 9].map((n) => roots.call(n, { timeoutMs: 10_000 }))));
try {
  await roots.call(-1);
} catch (error) {
  if (!(error instanceof CallFailed)) throw error;
  console.log(`${error.state}: ${error.reason}`);
}
await mq.close();
