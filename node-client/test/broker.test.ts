/** Against the real gateway and broker, where they are installed: kills, restarts and drains. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Client, MessageView } from "../src/index.js";
import { hasBroker, withBroker } from "./rig.js";
import { deferred, reaches } from "./support.js";

describe.skipIf(!hasBroker)("with a real broker", { timeout: 60_000 }, () => {
  const rig = withBroker();
  const { start, stop } = rig;
  let mq: Client;
  beforeEach(() => {
    mq = rig.mq;
  });

  it("a message is followed from queued to done, by its capability only", async () => {
    const q = mq.queue<{ n: number }>("emails");
    const { id, watch } = await q.publish({ n: 1 });
    const done = deferred<MessageView>();
    mq.watchMessage(id, { watch, onState: (view) => view.message?.state === "done" && done.resolve(view) });

    q.consume(async (m) => {
      await m.progress(50, "half");
      if (m.attempt === 1) await m.nack({ delayMs: 0, reason: "once more" });
      return { doubled: m.body.n * 2 };
    });

    const { message } = await done.promise;
    expect(message).toMatchObject({ id, attempts: 2, result: { doubled: 2 } });
    expect(message?.timeline.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(["published", "retrying", "acked"]),
    );
    expect(message).not.toHaveProperty("body");
  });

  it("keeps every confirmed message and stores none twice, through kill -9 of the broker while publishing", async () => {
    const q = mq.queue<number>("numbers");
    const confirmed: Promise<unknown>[] = [];
    for (let n = 0; n < 3_000; n++) {
      confirmed.push(q.publish(n));
      if (n % 50 === 0) await new Promise(setImmediate);
      if (n === 1_500) {
        await stop("SIGKILL");
        await start();
      }
    }
    await Promise.all(confirmed);

    const got: number[] = [];
    const all = deferred();
    const consumer = q.consume((m) => {
      got.push(m.body);
      if (got.length === 3_000) all.resolve();
    });
    await all.promise;
    await consumer.close();

    expect(got).toEqual(Array.from({ length: 3_000 }, (_, n) => n));
    expect(await q.stats()).toMatchObject({ ready: 0, leased: 0, publishedTotal: 3_000 });
  });

  it("lets a handler go on through a restart of the broker: no second attempt, no lost lease", async () => {
    const q = mq.queue<number>("slow");
    await q.publish(1);
    const begun = deferred();
    const gate = deferred();
    const attempts: number[] = [];
    const lost: string[] = [];
    const consumer = q.consume(async (m) => {
      attempts.push(m.attempt);
      begun.resolve();
      await gate.promise;
    });
    consumer.on("leaseLost", ({ id }) => lost.push(id));
    await begun.promise;

    await stop("SIGTERM");
    await start();
    await mq.ready();
    await mq.queues();
    gate.resolve();
    await consumer.close();

    expect(attempts).toEqual([1]);
    expect(lost).toEqual([]);
    expect(await q.stats()).toMatchObject({ ready: 0, leased: 0, retrying: 0, ackedTotal: 1 });
  });

  it("a closing consumer settles what runs and gives back what it had not begun, uncounted", async () => {
    const q = mq.queue<number>("drain");
    await q.publishMany([1, 2, 3]);
    const begun = deferred();
    const gate = deferred();
    const first = q.consume(
      async () => {
        begun.resolve();
        await gate.promise;
        return "finished";
      },
      { prefetch: 3 },
    );
    await begun.promise;
    const closed = first.close();
    gate.resolve();
    await closed;

    const rest: [number, number][] = [];
    const all = deferred();
    q.consume((m) => {
      if (rest.push([m.body, m.attempt]) === 2) all.resolve();
    });
    await all.promise;

    expect(rest).toEqual([
      [2, 1],
      [3, 1],
    ]);
  });

  it("an ack with further publishes is one step", async () => {
    await mq.queue("in").publish({ n: 1 });
    const out = deferred<unknown>();

    mq.queue("in").consume((m) =>
      m.done({ result: "ok", publish: [{ queue: "out", body: m.body, headers: { from: m.id } }] }),
    );
    mq.queue("out").consume((m) => out.resolve([m.body, m.headers["from"]]));

    expect(await out.promise).toEqual([{ n: 1 }, expect.stringMatching(/-0$/)]);
  });

  it("a watch resumes after a restart without a gap or a repetition", async () => {
    const q = mq.queue<number>("watched");
    const positions: number[] = [];
    let count = 0;
    const all = deferred();
    mq.watchQueue("watched", {
      last: 100,
      onEvents: (events) => {
        positions.push(...events.map(({ position }) => position));
        count += events.reduce((sum, { kind, count: n = 0 }) => sum + (kind === "published" ? n : 0), 0);
        if (count === 20) all.resolve();
      },
    });
    for (let n = 0; n < 10; n++) await q.publish(n);
    await stop("SIGTERM");
    await reaches(mq, "reconnecting");
    const published = Array.from({ length: 10 }, (_, n) => q.publish(n));
    await start();
    await Promise.all(published);
    await all.promise;

    expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b));
    expect(count).toBe(20);
  });
});
