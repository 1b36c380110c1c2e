/**
 * Four consumers, and at the end one that empties the dead-letter queues.
 *
 *   node consumers.mjs URL FOLDER SEED
 *
 * `crash.topic` is bound to two queues and a stream with a group of two members.
 * `crash.order` has the first alone, one message at a time; all others share the rest. Words on standard input: `dead`
 * begins with the dead-letter queues, `stop` ends. What a message's body asks for is done to it: `nacks` refuses that many
 * attempts, `dead` gives it up at once, `next` publishes a follower together with the ack.
 */
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "postroad";
import { History, noting, tell } from "./history.mjs";
import { random } from "./random.mjs";

const [url, folder, seed] = process.argv.slice(2);
const CONSUMERS = 4;
const SHARED = ["crash.plain", "crash.later", "crash.poison", "crash.next", "crash.keys", "crash.fan-a", "crash.fan-b"];
const clients = [];
const histories = [];

function open(name) {
  const history = new History(`${folder}/${name}.jsonl`);
  const client = connect(url, { name, reconnect: { minMs: 50, maxMs: 150 }, transport: noting(history) });
  clients.push(client);
  histories.push(history);
  return { client, history };
}

/** Settles by hand, so that the answer of each settle is known. */
function handle({ history, client }, queue, concurrency, chance) {
  const handler = async (m) => {
    const { k, nacks = 0, dead = false, next = false } = m.body;
    const about = { q: queue, id: m.id, k, n: m.number, a: m.attempt };
    history.note("begin", about);
    if (chance() < 0.3) await sleep(chance() * 20);
    const isDeadLetter = queue.endsWith(".dead");
    const does = isDeadLetter ? "ack" : dead || m.attempt <= nacks ? "nack" : "ack";
    history.note(does, about);
    if (next && does === "ack") history.note("invoke", { k: `${k}+`, q: "crash.next", d: 0 });
    const follower = () => m.done({ publish: [{ queue: "crash.next", body: { k: `${k}+` } }] });
    const settled =
      does === "nack"
        ? m.nack(dead ? { dead: true, reason: "dead" } : { delayMs: Math.floor(chance() * 60), reason: "not yet" })
        : m.ack(next ? follower() : undefined);
    // Not awaited: one message at a time must not mean one journal write at a time.
    settled.then(
      () => {
        history.note(`${does}_ok`, about);
        if (next && does === "ack") history.note("confirm", { k: `${k}+` });
      },
      (error) => history.note(`${does}_no`, { ...about, code: error.code ?? String(error) }),
    );
  };
  const [stream, group] = queue.split("/");
  const source = group === undefined ? client.queue(queue) : client.stream(stream).group(group);
  return source.consume(handler, { concurrency });
}

const started = [];
for (let index = 0; index < CONSUMERS; index++) {
  const one = open(`consumer-${index}`);
  const chance = random(Number(seed) * 1_000 + index);
  if (index === 0) {
    await one.client.queue("crash.poison").declare({ attemptsMax: 3, backoffMs: 20 });
    await one.client.queue("crash.plain").declare({ backoffMs: 20 });
    await one.client.queue("crash.keys").declare({ backoffMs: 20 });
    for (const queue of ["crash.fan-a", "crash.fan-b"]) {
      await one.client.queue(queue).declare();
      await one.client.bind("crash.*", { queue });
    }
    await one.client.stream("crash.log").declare();
    await one.client.stream("crash.log").group("members").declare({ backoffMs: 20 });
    await one.client.bind("#.topic", { stream: "crash.log" });
    started.push(handle(one, "crash.order", 1, chance));
  }
  if (index < 2) started.push(handle(one, "crash.log/members", 2 + 2 * index, chance));
  for (const queue of SHARED) started.push(handle(one, queue, 1 + 3 * index, chance));
}
await Promise.all(started.map((consumer) => consumer.ready()));
tell("started");

createInterface({ input: process.stdin }).on("line", async (word) => {
  if (word === "dead") {
    const one = open("undertaker");
    const queues = await one.client.queues();
    for (const { name } of queues.filter((row) => row.name.endsWith(".dead"))) await handle(one, name, 10, random(1)).ready();
    tell("dead");
  } else if (word === "stop") {
    await Promise.all(clients.map((client) => client.close()));
    for (const history of histories) history.close();
    tell("stopped");
    process.exit(0);
  }
});
