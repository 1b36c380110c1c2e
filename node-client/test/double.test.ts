/** The broker in memory keeps the promises of the real one: what both must do runs on both. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import {
  CallFailed,
  type Client,
  Conflict,
  MessageNotFound,
  type MessageView,
  QueueFull,
  Unroutable,
  Unsupported,
} from "../src/index.js";
import { createTestBroker, type TestBroker } from "../src/testing/index.js";
import { hasBroker, withBroker } from "./rig.js";
import { deferred, reaches } from "./support.js";

const QUIET = { debug: () => {}, warn: () => {}, error: () => {} };

describe.each([
  { where: "in memory", isReal: false },
  { where: "on the real broker", isReal: true },
])("$where", { timeout: 60_000 }, ({ isReal }) => {
  if (isReal && !hasBroker) {
    it.skip("nothing is installed", () => {});
    return;
  }
  const rig = isReal ? withBroker() : undefined;
  let mq: Client;
  beforeEach(() => {
    mq = rig?.mq ?? createTestBroker().connect({ logger: QUIET });
    return async () => {
      await mq.close({ drain: false });
    };
  });

  /** Resolved with the first `count` of what `add` was given. */
  function collect<T>(count: number): { readonly all: Promise<T[]>; readonly add: (value: T) => void } {
    const got: T[] = [];
    const all = deferred<T[]>();
    return { all: all.promise, add: (value) => void (got.push(value) === count && all.resolve(got)) };
  }

  it("order is by priority, then as published; a key is one at a time, through retries", async () => {
    const q = mq.queue<string>("ordered");
    await q.declare({ backoffMs: 0 });
    await q.publish("late");
    await q.publish("first", { priority: 9 });
    await q.publish("k1", { key: "k" });
    await q.publish("k2", { key: "k" });
    const { all, add } = collect<string>(5);
    q.consume(
      async (m) => {
        add(`${m.body} ${m.attempt}`);
        if (m.body === "k1" && m.attempt === 1) throw new Error("again");
      },
      { concurrency: 1 },
    );

    const got = await all;
    expect(got.slice(0, 2)).toEqual(["first 1", "late 1"]);
    expect(got.filter((text) => text.startsWith("k"))).toEqual(["k1 1", "k1 2", "k2 1"]);
  });

  it("what a handler says is seen by who has the message's capability, through retries, and read when it is done", async () => {
    const q = mq.queue<number>("talkative");
    await q.declare({ backoffMs: 0 });
    const { id, watch } = await q.publish(1);
    const views: MessageView[] = [];
    const done = deferred();
    const end = mq.watchMessage(id, {
      watch,
      onState: (view) => {
        views.push(view);
        if (view.message?.state === "done" && view.logs.length === 3) done.resolve();
      },
    });
    q.consume(
      async (m) => {
        m.log(`attempt ${m.attempt}`);
        if (m.attempt === 1) throw new Error("again");
        m.log("at last", { level: "warn" });
      },
      { name: "teller" },
    );
    await done.promise;
    end();

    const said = [
      { n: 1, level: "info", text: "attempt 1", attempt: 1, consumer: "teller", queue: "talkative" },
      { n: 2, level: "info", text: "attempt 2", attempt: 2 },
      { n: 3, level: "warn", text: "at last", attempt: 2 },
    ];
    expect(views.at(-1)?.logs).toMatchObject(said);
    expect(await mq.logs(id)).toMatchObject(said);
    expect(await mq.logs(id, { watch })).toMatchObject(said);
    await expect(mq.logs("9-zz-0")).rejects.toBeInstanceOf(MessageNotFound);
  });

  it("what fails too often is dead with its reason, and is redriven from its first attempt", async () => {
    const q = mq.queue<number>("doomed");
    await q.declare({ attemptsMax: 2, backoffMs: 0 });
    const seen = collect<number>(2);
    const { id } = await q.publish(1);
    const consumer = q.consume((m) => {
      seen.add(m.attempt);
      throw new Error("no");
    });
    expect(await seen.all).toEqual([1, 2]);
    await consumer.close();

    const graves = mq.queue("doomed.dead");
    expect((await graves.peek()).messages).toMatchObject([{ id, body: 1, reason: "no" }]);
    expect(await mq.message(id)).toMatchObject({ state: "dead", attempts: 2, reason: "no" });
    expect(await graves.redrive()).toEqual({ count: 1 });
    const again = collect<number>(1);
    q.consume((m) => again.add(m.attempt));
    expect(await again.all).toEqual([1]);
  });

  it("a dedup key stores once, and refuses another body", async () => {
    const q = mq.queue<number>("once");
    const first = await q.publish(1, { dedupKey: "a" });
    expect(await q.publish(1, { dedupKey: "a" })).toMatchObject({ id: first.id, duplicate: true });
    await expect(q.publish(2, { dedupKey: "a" })).rejects.toBeInstanceOf(Conflict);
    expect(await q.stats()).toMatchObject({ ready: 1 });
  });

  it("a full queue refuses, and other settings are a conflict", async () => {
    const q = mq.queue<number>("small");
    await q.declare({ lengthMax: 1 });
    await q.publish(1);
    await expect(q.publish(2)).rejects.toBeInstanceOf(QueueFull);
    await expect(q.declare({ lengthMax: 5 })).rejects.toBeInstanceOf(Conflict);
    expect(await q.declare({ lengthMax: 1 })).toEqual({ created: false });
  });

  it("a call has its result, with followers published in the same step", async () => {
    await mq.queue("out").declare();
    mq.queue<number>("in").consume((m) => m.done({ result: m.body + 1, publish: [{ queue: "out", body: m.body }] }));

    expect(await mq.queue<number>("in").call(1)).toBe(2);
    expect((await mq.queue("out").peek()).messages).toMatchObject([{ body: 1 }]);
  });

  it("a batch is done as one, with results and followers, and a time is told as an offset", async () => {
    const rows = mq.queue<number>("rows");
    const receipts = await rows.publishMany([1, 2]);
    const finished = deferred();
    rows.consumeBatch(
      (messages, { done }) =>
        done({ results: messages.map(({ body }) => body * 2), publish: [{ queue: "sums", body: 3 }] }),
      {
        size: 2,
      },
    );
    mq.queue<number>("sums").consume(({ body }) => void (body === 3 && finished.resolve()));
    await finished.promise;

    const shown = await Promise.all(receipts.map(({ id }) => mq.message(id)));
    expect(shown.map(({ state, result }) => [state, result])).toEqual([
      ["done", 2],
      ["done", 4],
    ]);
    await mq.stream("log").publishMany([1, 2]);
    expect(await mq.stream("log").offsetAt(0)).toBe(0);
    expect(await mq.stream("log").offsetAt(Date.now() + 3_600_000)).toBe(2);
  });

  it("a cancelled message stops its handler", async () => {
    const q = mq.queue<number>("work");
    const { id } = await q.publish(1);
    const stopped = deferred();
    const begun = deferred();
    q.consume(async (_m, { signal }) => {
      signal.addEventListener("abort", () => stopped.resolve());
      begun.resolve();
      await stopped.promise;
    });
    await begun.promise;
    await mq.cancel(id);
    await stopped.promise;
    expect(await mq.message(id)).toMatchObject({ state: "cancelled" });
  });

  it("a topic reaches what is bound, filtered by headers, or nobody", async () => {
    await mq.queue("all").declare();
    await mq.stream("eu").declare();
    await mq.bind("orders.#", { queue: "all" });
    await mq.bind("orders.*", { stream: "eu", headers: { match: "any", values: { region: "eu", vip: "yes" } } });
    const topic = mq.topic<number>("orders.new");

    expect((await topic.publish(1, { headers: { region: "eu" } })).routed).toBe(2);
    expect((await topic.publish(2, { headers: { region: "us" } })).routed).toBe(1);
    await expect(mq.topic("other").publish(3, { mandatory: true })).rejects.toBeInstanceOf(Unroutable);
    expect((await mq.stream("eu").stats()).messages).toBe(1);
    expect((await mq.queue("all").peek()).messages.map(({ body }) => body)).toEqual([1, 2]);
  });

  it("a message tells the topic it was published to: to handlers, readers and whoever looks", async () => {
    const [q, s] = [mq.queue<string>("mixed"), mq.stream<string>("kept")];
    await q.declare({ backoffMs: 0, attemptsMax: 1 });
    await s.declare();
    await mq.bind("orders.*", { queue: "mixed" });
    await mq.bind("orders.#", { stream: "kept" });
    await mq.topic("orders.created").publish("first");
    await q.publish("straight");
    const { id } = await mq.topic("orders.paid").publish("second");
    const peeked = (await q.peek()).messages.map(({ topic }) => topic);
    const { all, add } = collect<unknown[]>(3);
    q.consume((m) => {
      add([m.body, m.topic]);
      if (m.body === "second") throw new Error("no");
    });
    const consumed = await all;
    const read: unknown[] = [];
    for await (const m of s.read({ from: "earliest" })) if (read.push([m.body, m.topic]) === 2) break;

    const topics = ["orders.created", undefined, "orders.paid"];
    expect(peeked).toEqual(topics);
    expect(consumed).toEqual(["first", "straight", "second"].map((body, index) => [body, topics[index]]));
    expect(read).toEqual([
      ["first", "orders.created"],
      ["second", "orders.paid"],
    ]);
    expect((await mq.message(id)).topic).toBe("orders.paid");
    await vi.waitFor(async () => expect((await mq.queue("mixed.dead").peek()).messages[0]?.topic).toBe("orders.paid"));
  });

  it("groups of a stream have each their position, are reset, and a reader sees all", async () => {
    const log = mq.stream<number>("log");
    await log.publishMany([0, 1, 2]);
    const group = log.group("g");
    const first = collect<number>(3);
    const consumer = group.consume((m) => first.add(m.body), { from: "earliest" });
    expect(await first.all).toEqual([0, 1, 2]);
    await consumer.close();
    expect(await group.stats()).toMatchObject({ name: "log/g", committed: 3, lag: 0 });
    expect(await group.reset({ offset: 1 })).toEqual({ offset: 1 });
    expect(await group.stats()).toMatchObject({ committed: 1, lag: 2 });

    const read: number[] = [];
    for await (const m of log.read({ from: { last: 2 } })) if (read.push(m.offset) === 2) break;
    expect(read).toEqual([1, 2]);
  });

  it("what was prefetched and not begun goes back uncounted", async () => {
    const q = mq.queue<number>("drain");
    await q.publishMany([1, 2, 3]);
    const begun = deferred();
    const gate = deferred();
    const first = q.consume(
      async () => {
        begun.resolve();
        await gate.promise;
      },
      { prefetch: 3 },
    );
    await begun.promise;
    const closed = first.close();
    gate.resolve();
    await closed;
    const rest = collect<[number, number]>(2);
    q.consume((m) => rest.add([m.body, m.attempt]));
    expect(await rest.all).toEqual([
      [2, 1],
      [3, 1],
    ]);
  });
});

describe("the broker in memory", () => {
  let broker: TestBroker;
  let mq: Client;
  beforeEach(() => {
    broker = createTestBroker({ now: 1_000_000 });
    mq = broker.connect({ reconnect: { minMs: 1, maxMs: 2 }, logger: QUIET });
    return () => mq.close({ drain: false });
  });

  it("tries again after the backoff, as its clock is moved, and not before", async () => {
    const q = mq.queue<number>("retried");
    const attempts: [number, number][] = [];
    q.consume((m) => {
      attempts.push([m.attempt, broker.now]);
      throw new Error("not yet");
    });
    await q.publish(1);
    await broker.idle();
    expect(attempts).toEqual([[1, 1_000_000]]);
    expect(broker.messages("retried")).toMatchObject([{ body: 1, state: "retrying", attempts: 1, reason: "not yet" }]);

    await broker.advance(499);
    expect(attempts).toHaveLength(1);
    await broker.advance(501);
    expect(attempts).toHaveLength(2);
    await broker.advance(60_000);

    expect(attempts.map(([attempt]) => attempt)).toEqual([1, 2, 3, 4, 5]);
    const waits = attempts.slice(1).map(([, at], index) => at - (attempts[index]?.[1] ?? 0));
    for (const [index, wait] of waits.entries()) {
      expect(wait).toBeGreaterThanOrEqual(500 * 2 ** index);
      expect(wait).toBeLessThanOrEqual(1_000 * 2 ** index);
    }
    expect(broker.messages("retried.dead")).toMatchObject([{ body: 1, reason: "not yet" }]);
  });

  it("delivers what is delayed at its time, and never what has expired", async () => {
    const q = mq.queue<string>("timed");
    const got: string[] = [];
    await q.publish("later", { delayMs: 5_000 });
    await q.publish("never", { delayMs: 5_000, expireMs: 4_000 });
    q.consume((m) => void got.push(m.body));
    await broker.advance(4_999);
    expect(got).toEqual([]);
    await broker.advance(1);
    expect(got).toEqual(["later"]);
    expect(broker.messages("timed")).toEqual([]);
  });

  it("counts an attempt when a lease ends, and the handler is told", async () => {
    const q = mq.queue<number>("hung");
    await q.declare({ backoffMs: 0 });
    const attempts: number[] = [];
    const told = deferred();
    q.consume(
      async (m, { signal }) => {
        attempts.push(m.attempt);
        if (m.attempt > 1) return;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        told.resolve();
      },
      { concurrency: 2 },
    );
    await q.publish(1);
    await vi.waitUntil(() => attempts.length === 1);
    await broker.expireLeases("hung");
    await told.promise;
    await broker.idle();
    expect(attempts).toEqual([1, 2]);
  });

  it("lets a handler finish through a lost connection, without a second attempt", async () => {
    const q = mq.queue<number>("cut");
    const gate = deferred();
    const begun = deferred();
    const attempts: number[] = [];
    q.consume(async (m) => {
      attempts.push(m.attempt);
      begun.resolve();
      await gate.promise;
    });
    await q.publish(1);
    await begun.promise;
    const cut = reaches(mq, "reconnecting");
    broker.drop();
    await cut;
    await mq.ready();
    gate.resolve();
    await broker.idle();
    await broker.advance(10_000);

    expect(attempts).toEqual([1]);
    expect(await q.stats()).toMatchObject({ ackedTotal: 1, ready: 0 });
  });

  it("lets go of a stream's messages by age, and tells a reader", async () => {
    const log = mq.stream<number>("log");
    await log.declare({ retentionMs: 1_000 });
    await log.publish(0);
    await broker.advance(2_000);
    await log.publish(1);
    const reader = log.read({ from: { offset: 0 } });
    expect((await reader.next()).value).toMatchObject({ offset: 1, trimmed: true });
    expect(reader.trimmed).toBe(1);
  });

  it("refuses what it leaves out", async () => {
    await expect(mq.queue("a").declare({ rateMax: 5 })).rejects.toBeInstanceOf(Unsupported);
    await expect(mq.schedule("s", { everyMs: 1_000, queue: "a", message: { body: 1 } })).rejects.toBeInstanceOf(
      Unsupported,
    );
  });

  it("lets calls beyond the connection's watches wait their turn, and those that give up take none", async () => {
    const q = mq.queue<number>("slow");
    const gate = deferred();
    q.consume(
      async (m) => {
        await gate.promise;
        return m.body;
      },
      { concurrency: 1_000 },
    );
    const controllers = Array.from({ length: 200 }, () => new AbortController());
    const first = Array.from({ length: 128 }, (_, n) => q.call(n));
    const second = controllers.map(({ signal }, n) => q.call(n, { signal }).catch(() => "left"));
    // With signals of their own, so that they queue up behind the others.
    const third = Array.from({ length: 50 }, (_, n) =>
      q.call(n, { signal: new AbortController().signal, timeoutMs: 5_000 }),
    );
    await vi.waitUntil(() => broker.messages("slow").filter(({ state }) => state === "leased").length === 378);
    for (const controller of controllers) controller.abort();
    expect(new Set(await Promise.all(second))).toEqual(new Set(["left"]));
    gate.resolve();
    expect(await Promise.all([...first, ...third])).toEqual([...Array(128).keys(), ...Array(50).keys()]);
  });

  it("makes a call fail when its message is dead", async () => {
    mq.queue("hard").consume((m) => m.nack({ dead: true, reason: "too hard" }));
    const failed = await mq
      .queue("hard")
      .call(1)
      .catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(CallFailed);
    expect(failed).toMatchObject({ state: "dead", reason: "too hard" });
  });
});
