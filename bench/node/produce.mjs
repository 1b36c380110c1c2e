/**
 * Publishes `count` messages; begins at the word `go`, says `done` when all are confirmed.
 *
 * - `pump`: as fast as the system takes them, in its best way
 * - `sequential`: each confirmed before the next; latencies
 * - `concurrent`: 64 loops of such
 * - `paced`: `rate` a second, not awaited, with the time inside
 * - `promise`: a promise for each, awaited together (Postroad)
 * - `frames`: a frame for each message (Postroad)
 */
import { setImmediate as tick, setTimeout as sleep } from "node:timers/promises";
import { body, cpuSeconds, finish, nextWord, nowUs, openSystem, spread, task, tell } from "./common.mjs";

const CONCURRENT = 64;
const WARM = 1_000;
const { count, mode, rate } = task;
const system = await openSystem("producer");
const latencies = [];

const timed = async (n) => {
  const started = nowUs();
  await system.publish(body(n));
  latencies.push(nowUs() - started);
};

const modes = {
  pump: () => system.pump(body, count),
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
  async paced() {
    const started = nowUs();
    for (let n = 0; n < count; ) {
      const due = Math.min(count, Math.floor(((nowUs() - started) * rate) / 1e6) + 1);
      for (; n < due; n++) system.offer(body(nowUs()));
      const wait = started + (n * 1e6) / rate - nowUs();
      if (wait > 0) await sleep(wait / 1_000);
    }
    await system.flush();
  },
  async promise() {
    let confirmed = 0;
    const confirm = () => void confirmed++;
    for (let n = 0; n < count; n++) {
      system.publish(body(n)).then(confirm);
      if (!system.client.isWritable) await system.client.writable();
    }
    await system.flush();
    while (confirmed < count) await tick();
  },
  async frames() {
    for (let n = 0; n < count; n++) {
      system.offer(body(n));
      if (!system.client.isWritable) await system.client.writable();
      await tick();
    }
    await system.flush();
  },
};

await system.prepare();
// Both sides compile as they run: what each publish costs is asked of code that is warm.
if (mode === "sequential" || mode === "concurrent") for (let n = 0; n < WARM; n++) await system.publish(body(n));
tell("ready");
if ((await nextWord()) !== "go") process.exit(1);
const cpu = cpuSeconds();
const startedUs = nowUs();
await modes[mode]();
tell("done", { startedUs, endedUs: nowUs(), cpu: cpuSeconds() - cpu, ...spread(latencies) });
await finish(system);
