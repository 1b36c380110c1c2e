/** The first message of a stream, from a Node program. */
export const FIRST_RECORD = (stream: string, url: string): string => `import { connect } from "postroad";

const mq = connect("${url}");
await mq.stream("${stream}").publish({ page: "/pricing" });`;

/** The first group of a stream. */
export const FIRST_GROUP = (stream: string, url: string): string => `import { connect } from "postroad";

const mq = connect("${url}");
mq.stream("${stream}").group("analytics").consume(async (m) => {
  console.log(m.body);   // return: done; throw: try again later
}, { from: "earliest" });`;
