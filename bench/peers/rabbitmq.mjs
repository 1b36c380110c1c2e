/** RabbitMQ: publisher confirms with 1,000 in flight; prefetch 1,000, one ack for all that was handled in a tick. */
import { connect } from "amqplib";
import { windowed } from "../node/window.mjs";

const IN_FLIGHT = 1_000;
const PREFETCH = 1_000;

export const open = async ({ url, queue, role, variant }) => {
  const connection = await connect(url, { noDelay: true });
  const channel = role === "producer" ? await connection.createConfirmChannel() : await connection.createChannel();
  const options = { persistent: true, contentType: "application/json" };
  const post = (body, done) => channel.sendToQueue(queue, Buffer.from(JSON.stringify(body)), options, done);
  return {
    prepare: () => channel.assertQueue(queue, { durable: true, arguments: { "x-queue-type": variant } }),
    ...windowed(post, IN_FLIGHT),
    async consume(handler) {
      await channel.prefetch(PREFETCH);
      let last;
      const ack = () => {
        if (last) channel.ack(last, true);
        last = undefined;
      };
      const { consumerTag } = await channel.consume(queue, (message) => {
        handler(JSON.parse(message.content.toString()));
        if (!last) setImmediate(ack);
        last = message;
      });
      return async () => {
        ack();
        await channel.cancel(consumerTag); // answered after the acks before it
      };
    },
    remove: () => channel.deleteQueue(queue),
    close: () => connection.close(),
  };
};
