/**
 * Consumes, and ends at the word `stop`: `node consume.mjs URL QUEUE '{"concurrency":1,"workMs":0,"name":"a"}'`.
 *
 * Tells each message when its handler begins (`begin`: n, attempt, at) and each settled one (`acked` or `refused`). With
 * `hold` the handler of that n does not return before the word `release`. `workMs` is how long each other handler takes.
 * `quiet` only counts. At `stop` says `stopped` with the ns that were acked, in the order in which their handlers began.
 */
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "postroad";
import { tell } from "./tell.mjs";

const [url, queue, options = "{}"] = process.argv.slice(2);
const { concurrency = 1, prefetch, workMs = 0, hold, quiet = false, name = "consumer" } = JSON.parse(options);
const client = connect(url, { name, reconnect: { minMs: 50, maxMs: 150 } });
const begun = [];
const acked = new Set();
let release;
const released = new Promise((resolve) => {
  release = resolve;
});

const handler = async (m) => {
  const { n } = m.body;
  begun.push(n);
  if (!quiet) tell("begin", { n, attempt: m.attempt, at: Date.now() });
  if (n === hold) await released;
  else if (workMs > 0) await sleep(workMs);
  const settled = m.ack().then(
    () => {
      acked.add(n);
      if (!quiet) tell("acked", { n });
    },
    (error) => tell("refused", { n, code: error.code }),
  );
  if (n === hold) await settled;
};
const consumer = client.queue(queue).consume(handler, { concurrency, name, ...(prefetch === undefined ? {} : { prefetch }) });
consumer.on("leaseLost", (m) => tell("leaseLost", { n: m.body.n }));
await consumer.ready();
tell("started");

createInterface({ input: process.stdin }).on("line", async (word) => {
  if (word === "release") release();
  if (word === "count") tell("count", { acked: acked.size });
  if (word === "stop") {
    await client.close();
    tell("stopped", { acked: begun.filter((n) => acked.has(n)), begun: begun.length });
    process.exit(0);
  }
});
