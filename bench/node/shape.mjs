/**
 * One shape of load on Postroad, both sides of it: `role` is `produce` or `consume`, `shape` says what is special about the messages,
 * `queues`, `consumers` and `connections` how many there are of these: each connection publishes, and each consumes.
 *
 * The producer begins at `go` and says `done` at the last confirm; the consumer says `done` at the last ack.
 */
import { connect } from "postroad";
import { body as object, cpuSeconds, nextWord, nowUs, task, tell } from "./common.mjs";

const { url, queue, role, shape, count, bytes, queues = 1, consumers = 1, connections = 1 } = task;
/** A body of any size from 2 bytes; the object of the other benchmarks where it is that of 100 bytes. */
const body = bytes === 100 ? object : () => "x".repeat(bytes - 2);
/** Subscriptions that one connection takes, with room to spare. */
const SUBSCRIPTIONS = 200;
const KEYS = 1_000;
const DELAY_MS = 100;
const COPIES = 3;

const optionsOf = {
  key: (n) => ({ key: `key-${n % KEYS}` }),
  priority: (n) => ({ priority: n % 10 }),
  delay: () => ({ delayMs: DELAY_MS }),
  dedup: (n) => ({ dedupKey: `${queue}-${n}` }),
  headers: (n) => ({ headers: { trace: `trace-${n}` } }),
}[shape];

const clients = [];
const client = async () => {
  const opened = connect(url, { name: `bench-${role}` });
  await opened.ready();
  clients.push(opened);
  return opened;
};
const names = Array.from({ length: queues }, (_, n) => `${queue}.${n}`);
const copies = Array.from({ length: COPIES }, (_, n) => `${queue}.copy-${n}`);

/** What messages are published to, in turn. */
const targetsOn = async (mq) => {
  if (shape === "topic") return [mq.topic(`${queue}.created`)];
  if (shape === "stream") return [mq.stream(queue)];
  return names.map((name) => mq.queue(name));
};

/** What is consumed. */
const sourcesOn = async () => {
  const first = await client();
  if (shape === "topic") {
    for (const name of copies) {
      await first.queue(name).declare();
      await first.bind(`${queue}.*`, { queue: name });
    }
    return copies.map((name) => first.queue(name));
  }
  if (shape === "stream") {
    await first.stream(queue).declare();
    return copies.map((_, n) => first.stream(queue).group(`group-${n}`));
  }
  const sources = [];
  const each = connections > 1 ? 1 : SUBSCRIPTIONS;
  for (let n = 0; n < queues * consumers * connections; n++) {
    const mq = n > 0 && n % each === 0 ? await client() : clients.at(-1);
    sources.push(mq.queue(names[n % queues]));
  }
  return sources;
};

const roles = {
  async produce() {
    const targets = [];
    for (let n = 0; n < connections; n++) targets.push(...(await targetsOn(await client())));
    const most = Math.max(1, Math.floor(targets.length / connections));
    tell("ready");
    await nextWord();
    const [cpu, startedUs] = [cpuSeconds(), nowUs()];
    for (let n = 0; n < count; n++) {
      const at = n % targets.length;
      if (!targets[at].send(body(n), optionsOf?.(n))) await clients[Math.floor(at / most)].writable();
    }
    await Promise.all(clients.map((mq) => mq.flush()));
    tell("done", { startedUs, endedUs: nowUs(), cpu: cpuSeconds() - cpu });
  },
  async consume() {
    const expected = count * (shape === "topic" || shape === "stream" ? COPIES : 1);
    let handled = 0;
    let complete;
    const completed = new Promise((resolve) => {
      complete = resolve;
    });
    const answer = shape === "result" ? { ok: true } : undefined;
    const handler = (m) => {
      if (shape === "retry" && m.attempt === 1) return void m.nack({ delayMs: DELAY_MS });
      if (++handled === expected) complete();
      return answer;
    };
    const all = (await sourcesOn()).map((source) => source.consume(handler));
    await Promise.all(all.map((consumer) => consumer.ready()));
    tell("ready");
    await completed;
    await Promise.all(all.map((consumer) => consumer.close()));
    tell("done", { endedUs: nowUs(), expected });
  },
};

await roles[role]();
await nextWord();
process.exit(0);
