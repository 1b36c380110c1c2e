/** Postroad by its public client, as anybody would use it. */
import { connect } from "postroad";

export const open = async ({ url, queue, role }) => {
  const client = connect(url, { name: `bench-${role}` });
  await client.ready();
  const target = client.queue(queue);
  const flush = () => client.flush();
  return {
    client,
    prepare: () => target.declare(),
    publish: (body) => target.publish(body),
    offer: (body) => void target.send(body),
    flush,
    async pump(body, count) {
      for (let n = 0; n < count; n++) if (!target.send(body(n))) await client.writable();
      await flush();
    },
    async consume(handler) {
      const consumer = target.consume((m) => handler(m.body));
      await consumer.ready();
      return () => consumer.close();
    },
    remove: () => target.delete(),
    close: () => client.close(),
  };
};
