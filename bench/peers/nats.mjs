/** NATS JetStream: file storage, publishes with 2,000 in flight; pull of 1,000 messages, one ack for all that was handled in a tick (ack policy "all"). */
import { AckPolicy, jetstream, jetstreamManager, StorageType } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { windowed } from "../node/window.mjs";

const IN_FLIGHT = 2_000;
const PULL = 1_000;
const DURABLE = "workers";
/** Where a pace is too much for it, messages wait; that shall show as latency. */
const TIMEOUT_MS = 120_000;

export const open = async ({ url, queue }) => {
  const connection = await connect({ servers: url });
  const stream = jetstream(connection);
  const manager = await jetstreamManager(connection);
  const post = (body, done) => stream.publish(queue, JSON.stringify(body), { timeout: TIMEOUT_MS }).then(() => done(), done);
  return {
    async prepare() {
      await manager.streams.add({ name: queue, subjects: [queue], storage: StorageType.File });
      await manager.consumers.add(queue, {
        durable_name: DURABLE,
        ack_policy: AckPolicy.All,
        max_ack_pending: 10 * PULL,
      });
    },
    ...windowed(post, IN_FLIGHT),
    async consume(handler) {
      const consumer = await stream.consumers.get(queue, DURABLE);
      let last;
      const ack = () => {
        last?.ack();
        last = undefined;
      };
      const messages = await consumer.consume({
        max_messages: PULL,
        callback: (message) => {
          handler(message.json());
          if (!last) setImmediate(ack);
          last = message;
        },
      });
      return async () => {
        await last?.ackAck();
        last = undefined;
        messages.stop();
        await connection.flush();
      };
    },
    remove: () => manager.streams.delete(queue),
    close: () => connection.close(),
  };
};
