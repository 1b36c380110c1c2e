/**
 * Four producers that publish until told to stop: batches and single awaited messages, plain, delayed, with priorities, with
 * ordering keys, to a topic.
 *
 *   node producers.mjs URL FOLDER SEED
 *
 * Says `confirm` at the first confirm after each (re)connect, and `stopped` when all is confirmed.
 */
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "postroad";
import { History, tell } from "./history.mjs";
import { random } from "./random.mjs";

const [url, folder, seed] = process.argv.slice(2);
const PRODUCERS = 4;
let isStopping = false;
let told = true;

function producer(index) {
  const history = new History(`${folder}/producer-${index}.jsonl`);
  const chance = random(Number(seed) * 100 + index);
  const client = connect(url, { name: `producer-${index}`, session: `crash-${seed}-${index}`, reconnect: { minMs: 50, maxMs: 150 } });
  client.onStatus((status) => {
    if (status === "open") told = false;
  });
  let count = 0;

  const publish = async (queue, fate, options) => {
    const k = `p${index}-${count++}`;
    history.note("invoke", { k, q: queue, d: options?.delayMs ?? 0 });
    try {
      const target = queue === "crash.topic" ? client.topic(queue) : client.queue(queue);
      const { id } = await target.publish({ k, key: options?.key, ...fate }, options);
      history.note("confirm", { k, id });
      if (!told) {
        told = true;
        tell("confirm");
      }
    } catch (error) {
      history.note("failed", { k, code: error.code ?? String(error) });
    }
  };

  /** One message with what shall become of it. */
  const any = () => {
    const dice = chance();
    if (dice < 0.25) return publish("crash.order", {});
    if (dice < 0.4) return publish("crash.plain", { nacks: chance() < 0.1 ? 1 + Math.floor(chance() * 2) : 0 });
    if (dice < 0.47) return publish("crash.plain", { next: true });
    if (dice < 0.57) return publish("crash.later", {}, { delayMs: Math.floor(chance() * 500) });
    if (dice < 0.66) return publish("crash.later", { nacks: chance() < 0.1 ? 1 : 0 }, { priority: Math.floor(chance() * 10) });
    const key = `${index}/${Math.floor(chance() * 8)}`;
    if (dice < 0.8) return publish("crash.keys", { nacks: chance() < 0.1 ? 1 : 0 }, { key });
    if (dice < 0.94) return publish("crash.topic", { nacks: chance() < 0.05 ? 1 : 0 }, chance() < 0.5 ? { key } : undefined);
    return publish("crash.poison", chance() < 0.3 ? { nacks: 100 } : chance() < 0.2 ? { dead: true } : {});
  };

  const batches = async () => {
    while (!isStopping) {
      await Promise.all(Array.from({ length: 1 + Math.floor(chance() * 40) }, any));
      await sleep(chance() * 150);
    }
  };
  const singles = async () => {
    while (!isStopping) {
      await any();
      await sleep(chance() * 25);
    }
  };
  const rare = async () => {
    // Not awaited one by one: several frames are on their way when the broker dies.
    while (!isStopping) {
      const sent = [];
      for (let i = 0; i < 10; i++) {
        sent.push(any());
        await sleep(1);
      }
      await Promise.all(sent);
      await sleep(100 + chance() * 200);
    }
  };
  return Promise.all([batches(), singles(), singles(), rare()]).then(async () => {
    await client.close();
    history.close();
  });
}

createInterface({ input: process.stdin }).on("line", (word) => {
  if (word === "stop") isStopping = true;
});
const all = Array.from({ length: PRODUCERS }, (_, index) => producer(index));
tell("started");
await Promise.all(all);
tell("stopped");
process.exit(0);
