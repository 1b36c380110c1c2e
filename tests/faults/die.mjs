/**
 * Consumes, and its handler ends or hangs the process at the body `poison`: `node die.mjs URL QUEUE HOW '{"prefetch":10}'`.
 *
 * HOW is `exit`, `abort`, `loop` or `memory`; `late` before it (`late-exit`) waits for a timer first. Tells each message when its
 * handler begins (`begin`: body, attempt); with `sync` the handler is no async function.
 */
import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "postroad";

const [url, queue, how, options = "{}"] = process.argv.slice(2);
const { sync = false, ...consume } = JSON.parse(options);
// Written at once: the process may not live until the end of the tick.
const tell = (event, fields = {}) => writeSync(1, `${JSON.stringify({ event, ...fields })}\n`);

const die = {
  exit: () => process.exit(7),
  abort: () => process.abort(),
  loop: () => {
    for (;;);
  },
  memory: () => {
    const hoard = [];
    for (;;) hoard.push(new Array(100_000).fill(hoard.length));
  },
};

const begin = (m) => {
  tell("begin", { body: m.body, attempt: m.attempt });
  return m.body === "poison";
};
const now = (m) => {
  if (begin(m)) die[how]();
};
const later = async (m) => {
  const isPoison = begin(m);
  await sleep(1);
  if (isPoison) die[how.replace("late-", "")]();
};
const atOnce = async (m) => now(m);

const client = connect(url, { name: "mortal", reconnect: { minMs: 50, maxMs: 150 } });
const handler = how.startsWith("late-") ? later : sync ? now : atOnce;
const consumer = client.queue(queue).consume(handler, consume);
await consumer.ready();
tell("started");
