/**
 * Handles COUNT messages and acks them: `node consume.mjs URL QUEUE MODE COUNT`. Says `ready`, and `done` when the last ack
 * is confirmed. With MODE `latency` the bodies carry the time at which they were published.
 */
import { body, count, cpuSeconds, mode, nowUs, numberOf, open, queue, spread, tell } from "./common.mjs";

if (JSON.stringify(body(0)).length !== 100) throw new Error("the body is not 100 bytes");
const client = await open("bench-consumer");
const latencies = [];
let handled = 0;
let cpu = 0;
let startedUs = 0;
const isLatency = mode === "latency";
let finish;
const finished = new Promise((resolve) => {
  finish = resolve;
});

const consumer = client.queue(queue).consume((m) => {
  const n = numberOf(m.body);
  if (handled === 0) [startedUs, cpu] = [nowUs(), cpuSeconds()];
  if (isLatency) latencies.push(nowUs() - n);
  if (++handled === count) finish();
});
await consumer.ready();
tell("ready");
await finished;
await consumer.close();
tell("done", { startedUs, endedUs: nowUs(), cpu: cpuSeconds() - cpu, ...spread(latencies) });
await client.close();
process.exit(0);
