/** Groups under restarts, resets and deletions, and settings that limit, against the real gateway and broker. */
import { beforeEach, describe, expect, it } from "vitest";
import { type Client, LeaseLost, type PostroadError, QueueNotFound } from "../src/index.js";
import { hasBroker, withBroker } from "./rig.js";
import { deferred, reaches } from "./support.js";

describe.skipIf(!hasBroker)("with a real broker", { timeout: 60_000 }, () => {
  const rig = withBroker();
  let mq: Client;
  beforeEach(() => {
    mq = rig.mq;
  });

  it("a group's handler goes on through kill -9 of the broker: one attempt, no lost lease", async () => {
    const log = mq.stream<number>("log");
    await log.publish(1);
    const begun = deferred();
    const gate = deferred();
    const attempts: number[] = [];
    const consumer = log.group("g").consume(
      async (m) => {
        attempts.push(m.attempt);
        begun.resolve();
        await gate.promise;
      },
      { from: "earliest" },
    );
    const lost: string[] = [];
    consumer.on("leaseLost", ({ id }) => lost.push(id));
    await begun.promise;
    await rig.stop("SIGKILL");
    await reaches(mq, "reconnecting");
    await rig.start();
    await mq.ready();
    await mq.queues();
    gate.resolve();
    await consumer.close();

    expect([attempts, lost]).toEqual([[1], []]);
    expect(await log.group("g").stats()).toMatchObject({ committed: 1, lag: 0, retrying: 0 });
  });

  it("a reset takes messages away from their handlers, and they come again as first attempts", async () => {
    const log = mq.stream<number>("log");
    await log.publish(7);
    const group = log.group("g");
    const reasons: unknown[] = [];
    const attempts: number[] = [];
    const begun = deferred();
    const again = deferred();
    group.consume(
      async (m, { signal }) => {
        attempts.push(m.attempt);
        if (attempts.length === 2) {
          again.resolve();
          return;
        }
        const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
        begun.resolve();
        await aborted;
        reasons.push(signal.reason);
      },
      { from: "earliest", concurrency: 2 },
    );
    await begun.promise;
    await group.reset("earliest");
    await again.promise;

    expect(attempts).toEqual([1, 1]);
    expect(reasons).toEqual([expect.any(LeaseLost)]);
  });

  it("consumers of a group end when its stream is deleted", async () => {
    const log = mq.stream<number>("log");
    await log.publish(1);
    const ended = deferred<PostroadError | undefined>();
    const consumer = log.group("g").consume(() => {});
    consumer.on("end", (error) => ended.resolve(error));
    consumer.on("error", () => {});
    await consumer.ready();
    await log.delete();
    expect(await ended.promise).toBeInstanceOf(QueueNotFound);
  });

  it("a group that may not be declared is not", async () => {
    const log = mq.stream<number>("log", { declare: false });
    await expect(log.publish(1)).rejects.toBeInstanceOf(QueueNotFound);
    await mq.stream("log").declare();
    const consumer = log.group("g").consume(() => {});
    consumer.on("error", () => {});
    await expect(consumer.ready()).rejects.toBeInstanceOf(QueueNotFound);
  });

  it("a message of a stream without groups is kept", async () => {
    const { id, watch } = await mq.stream("log").publish(1);
    expect(await mq.message(id)).toMatchObject({ state: "kept" });
    const state = deferred<string>();
    mq.watchMessage(id, { watch, onState: ({ message }) => message && state.resolve(message.state) });
    expect(await state.promise).toBe("kept");
  });

  it("retention waits for groups if the stream says so", async () => {
    const log = mq.stream<number>("log");
    await log.declare({ retentionCount: 1, keepUntilAcked: true });
    await log.group("g").declare({}, { from: "earliest" });
    for (const n of [1, 2, 3]) await log.publish(n);
    expect(await log.stats()).toMatchObject({ messages: 3 });
    const got: number[] = [];
    const all = deferred();
    const consumer = log.group("g").consume((m) => void (got.push(m.body) === 3 && all.resolve()));
    await all.promise;
    await consumer.close();
    await log.publish(4);
    expect(got).toEqual([1, 2, 3]);
    expect((await log.stats()).messages).toBeLessThanOrEqual(2);
  });

  it("no more handlers run at once than the queue allows, over all consumers", async () => {
    const q = mq.queue<number>("narrow");
    await q.declare({ concurrencyMax: 2 });
    let running = 0;
    let most = 0;
    let done = 0;
    const all = deferred();
    const handler = async (): Promise<void> => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running--;
      if (++done === 40) all.resolve();
    };
    q.consume(handler, { concurrency: 5 });
    q.consume(handler, { concurrency: 5 });
    await q.publishMany(Array.from({ length: 40 }, (_, n) => n));
    await all.promise;
    expect(most).toBeLessThanOrEqual(2);
  });

  it("an overflowing queue puts its oldest messages with the dead ones", async () => {
    const q = mq.queue<number>("short");
    await q.declare({ lengthMax: 1, overflow: "dead_letter" });
    await q.publish(1);
    await q.publish(2);
    expect((await q.peek()).messages.map(({ body }) => body)).toEqual([2]);
    expect((await mq.queue("short.dead").peek()).messages.map(({ body }) => body)).toEqual([1]);
  });

  it("a schedule publishes to a topic by itself", async () => {
    await mq.queue("beats").declare();
    await mq.bind("clock.*", { queue: "beats" });
    const beat = deferred<unknown>();
    mq.queue("beats").consume((m) => beat.resolve(m.body));
    await mq.schedule("clock", { everyMs: 1_000, topic: "clock.beat", message: { body: "tick", type: "text" } });
    expect(await beat.promise).toBe("tick");
  });
});
