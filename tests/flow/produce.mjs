/**
 * Publishes `{ n }` for n from 0 to below COUNT, in order, and ends when all is confirmed: `node produce.mjs URL QUEUE COUNT`.
 *
 * With PER_SECOND it takes its time, and says `half` in the middle. Says `done` with how many were confirmed, once each.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "postroad";
import { tell } from "./tell.mjs";

const [url, queue, count, perSecond = "0"] = process.argv.slice(2);
const client = connect(url, { name: "producer", reconnect: { minMs: 50, maxMs: 150 }, offlineBytesMax: 64 * 1024 * 1024 });
await client.ready();
tell("started");

const receipts = [];
for (let n = 0; n < Number(count); n++) {
  receipts.push(client.queue(queue).publish({ n }));
  if (n === Math.floor(Number(count) / 2)) tell("half");
  if (Number(perSecond) > 0 && n % 10 === 9) await sleep(10_000 / Number(perSecond));
}
const ids = new Set((await Promise.all(receipts)).map((receipt) => receipt.id));
tell("done", { confirmed: ids.size });
await client.close();
