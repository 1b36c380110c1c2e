/** Clicks as of many visitors: CLICKS of them in SECONDS. Says how many went to each page. */
import { setTimeout } from "node:timers/promises";
import { connect } from "postroad";
import { BROKER } from "../shared/process.js";
import { clicks } from "./streams.js";

const PAGES = ["/", "/", "/", "/pricing", "/pricing", "/docs", "/blog"];
const TICK_MS = 50;
const total = Number(process.env["CLICKS"] ?? 6_000);
const ticks = Math.max(1, (Number(process.env["SECONDS"] ?? 30) * 1_000) / TICK_MS);

await using mq = connect(BROKER, { name: "visitors" });
const stream = mq.stream(clicks);
await stream.declare();

const sent: Record<string, number> = {};
for (let tick = 1, made = 0; tick <= ticks; tick++) {
  for (; made < (total * tick) / ticks; made++) {
    const page = PAGES[Math.floor(Math.random() * PAGES.length)] ?? "/";
    sent[page] = (sent[page] ?? 0) + 1;
    if (!stream.send({ page, at: Date.now() })) await mq.writable();
  }
  await setTimeout(TICK_MS);
}
await mq.flush(); // throws if one of them was not stored
console.log(JSON.stringify(sent));
