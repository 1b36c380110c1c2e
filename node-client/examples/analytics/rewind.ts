/** Puts the group back by an hour, as after a mistake in how it counted: its members publish all parts again. */
import { connect } from "postroad";
import { BROKER } from "../shared/process.js";
import { anHourAgo, clicks, GROUP } from "./streams.js";

await using mq = connect(BROKER, { name: "rewind" });
const { offset } = await mq.stream(clicks).group(GROUP).reset({ at: anHourAgo() });
console.log(JSON.stringify({ offset }));
