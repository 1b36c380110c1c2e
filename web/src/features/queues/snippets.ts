/** The first message, from a Node program. */
export const FIRST_MESSAGE = (queue: string, url: string): string => `import { connect } from "postroad";

const mq = connect("${url}");
await mq.queue("${queue}").publish({ to: "ada@example.org" });`;

/** The first consumer. */
export const FIRST_CONSUMER = (queue: string, url: string): string => `import { connect } from "postroad";

const mq = connect("${url}");
mq.queue("${queue}").consume(async (m) => {
  console.log(m.body);   // return: done; throw: try again later
});`;
