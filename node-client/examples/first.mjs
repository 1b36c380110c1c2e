import { connect } from "postroad";

const mq = connect(process.env.POSTROAD_URL ?? "ws://127.0.0.1:7070/ws");
const emails = mq.queue("emails");

const { id } = await emails.publish({ to: "ada@example.org" });
console.log(`${id} is stored`);

emails.consume(
  async (m) => {
    console.log(`attempt ${m.attempt}: a mail to ${m.body.to}`);
    return { sent: true }; // an ack, with a result; a throw would be a nack, and the message would come back
  },
  { concurrency: 10 },
);
