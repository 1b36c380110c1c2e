/** A member of the group that counts. Start as many as you like; each click goes to one of them. */
import { joinAs } from "../shared/process.js";
import { clicks, counts, GROUP } from "./streams.js";
import { partsOf } from "./tally.js";

export async function count(name: string): Promise<void> {
  const mq = joinAs(name);
  await mq.stream(clicks).declare();
  await mq.stream(counts).declare();

  mq.stream(clicks)
    .group(GROUP)
    .consumeBatch(
      async (messages) => {
        const parts = partsOf(messages.map(({ sequence, body }) => ({ offset: sequence, body })));
        // Published first, acked when this returns: never acked and not counted.
        await mq.stream(counts).publishMany(parts);
      },
      { from: "earliest", size: 500, waitMs: 200, leaseMs: 5_000, name },
    );
}
