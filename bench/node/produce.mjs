/**
 * Publishes COUNT messages: `node produce.mjs URL QUEUE MODE COUNT`; begins at the word `go`, says `done`.
 *
 * - `send`: without a promise for each, `flush` at the end
 * - `promise`: a promise for each, awaited together
 * - `sequential`: each confirmed before the next; latencies
 * - `concurrent`: 64 loops of such
 * - `frames`: like `send`, but a frame for each message
 * - `paced`: 200 a second, with the time inside
 */
import { createInterface } from "node:readline";
import { setImmediate as tick, setTimeout as sleep } from "node:timers/promises";
import { body, count, cpuSeconds, mode, nowUs, open, queue, spread, tell } from "./common.mjs";

const CONCURRENT = 64;
const PER_SECOND = 200;
const client = await open("bench-producer");
const target = client.queue(queue);
const latencies = [];

const timed = async (n) => {
  const started = nowUs();
  await target.publish(body(n));
  latencies.push(nowUs() - started);
};

const modes = {
  async send() {
    for (let n = 0; n < count; n++) if (!target.send(body(n))) await client.writable();
    await client.flush();
  },
  async promise() {
    let confirmed = 0;
    const confirm = () => void confirmed++;
    for (let n = 0; n < count; n++) {
      target.publish(body(n)).then(confirm);
      if (!client.isWritable) await client.writable();
    }
    await client.flush();
    while (confirmed < count) await tick();
  },
  async sequential() {
    for (let n = 0; n < count; n++) await timed(n);
  },
  async concurrent() {
    let next = 0;
    const loop = async () => {
      while (next < count) await timed(next++);
    };
    await Promise.all(Array.from({ length: CONCURRENT }, loop));
  },
  async frames() {
    for (let n = 0; n < count; n++) {
      if (!target.send(body(n))) await client.writable();
      await tick();
    }
    await client.flush();
  },
  async paced() {
    const started = nowUs();
    for (let n = 0; n < count; n++) {
      const wait = started + (n * 1e6) / PER_SECOND - nowUs();
      if (wait > 0) await sleep(wait / 1_000);
      target.send(body(nowUs()));
    }
    await client.flush();
  },
};

tell("ready");
for await (const word of createInterface({ input: process.stdin })) if (word === "go") break;
const cpu = cpuSeconds();
const startedUs = nowUs();
await modes[mode]();
tell("done", { startedUs, endedUs: nowUs(), cpu: cpuSeconds() - cpu, ...spread(latencies) });
await client.close();
process.exit(0);
