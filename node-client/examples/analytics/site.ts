/** Serves the page. */
import { connect } from "postroad";
import { BROKER } from "../shared/process.js";
import { listen, siteOf } from "../shared/site.js";
import { counts } from "./streams.js";

const mq = connect(BROKER, { name: "analytics-site" });
await mq.stream(counts).declare();
listen(siteOf("analytics", mq), mq);
