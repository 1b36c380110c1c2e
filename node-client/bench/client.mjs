/**
 * Messages a second from one producer to one consumer, in one process each or together.
 *
 *     node bench/client.mjs [--url ws://127.0.0.1:7070/ws] [--count 500000] [--bytes 100] [--mode both|produce|consume|await|latency]
 */
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { connect } from "postroad";

const { values } = parseArgs({
  options: {
    url: { type: "string", default: "ws://127.0.0.1:7070/ws" },
    count: { type: "string", default: "500000" },
    bytes: { type: "string", default: "100" },
    mode: { type: "string", default: "both" },
    queue: { type: "string", default: `bench-${process.pid}` },
  },
});
const count = Number(values.count);
const { mode } = values;
const pad = "x".repeat(Math.max(0, Number(values.bytes) - 17));
const mq = connect(values.url, { name: `bench-${mode}` });
const { durability, engine } = await mq.ready();
const q = mq.queue(values.queue);

const report = (what, number, since, more = {}) => {
  const seconds = (performance.now() - since) / 1_000;
  const cpu = process.cpuUsage();
  console.log(
    JSON.stringify({
      what,
      count: number,
      seconds: +seconds.toFixed(3),
      perSecond: Math.round(number / seconds),
      cpuSeconds: +((cpu.user + cpu.system) / 1e6).toFixed(2),
      engine,
      durability,
      ...more,
    }),
  );
};

async function produce() {
  const since = performance.now();
  for (let n = 0; n < count; n++) if (!q.send({ n, pad })) await mq.writable();
  await mq.flush();
  report("produce", count, since);
}

async function consume() {
  let since = 0;
  let done;
  const all = new Promise((resolve) => (done = resolve));
  let got = 0;
  const consumer = q.consume(() => {
    if (got === 0) since = performance.now();
    if (++got === count) done();
  });
  await all;
  await consumer.close();
  report("consume", count, since);
}

/** 64 callers, each waiting for its confirm before it publishes again. */
async function awaited() {
  const since = performance.now();
  let left = count;
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (left-- > 0) await q.publish({ n: left, pad });
    }),
  );
  report("await", count, since, { callers: 64 });
}

/** One publish after another. */
async function latency() {
  const times = [];
  const since = performance.now();
  for (let n = 0; n < Math.min(count, 5_000); n++) {
    const start = performance.now();
    await q.publish({ n, pad });
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const at = (share) => +times[Math.floor(times.length * share)].toFixed(3);
  report("latency", times.length, since, { p50ms: at(0.5), p99ms: at(0.99) });
}

const modes = {
  produce: [produce],
  consume: [consume],
  await: [awaited],
  latency: [latency],
  both: [produce, consume],
};
await Promise.all((modes[mode] ?? modes.both).map((run) => run()));
await mq.close();
