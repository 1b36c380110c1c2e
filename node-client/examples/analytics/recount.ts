/** Counts the last hour again, from the stream itself. A reader settles nothing: the group does not notice. */
import { connect } from "postroad";
import { BROKER } from "../shared/process.js";
import { anHourAgo, clicks } from "./streams.js";
import { partsOf, Tally } from "./tally.js";

await using mq = connect(BROKER, { name: "recount" });
const stream = mq.stream(clicks);
const { messages, next } = await stream.stats();

const tally = new Tally();
if (messages > 0) {
  for await (const click of stream.read({ from: { at: anHourAgo() } })) {
    for (const part of partsOf([click])) tally.add(part);
    if (click.offset === next - 1) break;
  }
}
console.log(JSON.stringify(tally.counts()));
