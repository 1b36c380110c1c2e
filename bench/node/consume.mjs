/**
 * Handles `count` messages and acks them. Says `ready`, and `done` when the last ack is confirmed (where the system confirms acks).
 * With the mode `latency` the bodies carry the time at which they were published.
 */
import { body, cpuSeconds, finish, nowUs, numberOf, openSystem, spread, task, tell } from "./common.mjs";

const { count, mode } = task;
if (JSON.stringify(body(0)).length !== task.bytes) throw new Error(`the body has not ${task.bytes} bytes`);
const system = await openSystem("consumer");
const latencies = [];
let handled = 0;
let cpu = 0;
let startedUs = 0;
const isLatency = mode === "latency";
let complete;
const completed = new Promise((resolve) => {
  complete = resolve;
});

await system.prepare();
const stop = await system.consume((message) => {
  const n = numberOf(message);
  if (handled === 0) [startedUs, cpu] = [nowUs(), cpuSeconds()];
  if (isLatency) latencies.push(nowUs() - n);
  if (++handled === count) complete();
});
tell("ready");
await completed;
await stop();
tell("done", { startedUs, endedUs: nowUs(), cpu: cpuSeconds() - cpu, ...spread(latencies) });
await finish(system);
