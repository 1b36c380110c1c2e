/** Streams, topics, schedules and operations, against the real gateway and broker. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  CallFailed,
  CallTimeout,
  type Client,
  Conflict,
  DeadLetter,
  InvalidRequest,
  LeaseLost,
  type Message,
  QueueFull,
  QueueNotFound,
  Unroutable,
} from "../src/index.js";
import { hasBroker, withBroker } from "./rig.js";
import { deferred, reaches } from "./support.js";

const range = (length: number, from = 0): number[] => Array.from({ length }, (_, n) => from + n);

describe.skipIf(!hasBroker)("with a real broker", { timeout: 60_000 }, () => {
  const rig = withBroker();
  let mq: Client;
  beforeEach(() => {
    mq = rig.mq;
  });

  async function take<T>(source: AsyncIterable<T>, count: number): Promise<T[]> {
    const taken: T[] = [];
    for await (const item of source) if (taken.push(item) === count) break;
    return taken;
  }

  /** The next messages of a consumer, each acked. */
  function gather<T>(count: number): { readonly all: Promise<T[]>; readonly handler: (m: Message<T>) => void } {
    const got: T[] = [];
    const all = deferred<T[]>();
    return { all: all.promise, handler: (m) => void (got.push(m.body) === count && all.resolve(got)) };
  }

  it("a schedule whose target is full tells why its firing was refused", async () => {
    const small = mq.queue<number>("small");
    await small.declare({ lengthMax: 1 });
    await small.publish(1);
    await mq.schedule("often", { everyMs: 1_000, queue: "small", message: { body: 2 } });

    const [info] = await eventually(async () =>
      (await mq.schedules.list()).filter(({ lastError }) => lastError !== null),
    );

    expect(info).toMatchObject({ fired: 0, lastError: { code: "queue-full", at: expect.any(Number) as number } });
  });

  it("redrives what fits, and tells how many stayed and why", async () => {
    const small = mq.queue<number>("narrow");
    await small.publishMany([1, 2, 3]);
    const consumer = small.consume(() => {
      throw new DeadLetter("no");
    });
    await eventually(async () =>
      (await mq.queues()).some(({ name, ready }) => name === "narrow.dead" && ready === 3) ? [1] : [],
    );
    await consumer.close();
    await small.declare({ lengthMax: 2 }, { update: true });

    expect(await mq.queue("narrow.dead").redrive()).toEqual({ count: 2, left: 1, reason: "queue-full" });
    await expect(mq.queue("narrow.dead").redrive()).rejects.toThrow(QueueFull);
  });

  it("confirms the server's clock, and knows that nothing was held", async () => {
    expect(await mq.confirmClock()).toBe(false);
    expect(await mq.overview()).toMatchObject({ clockHeld: null, clockSkewMs: expect.any(Number) as number });
  });

  it("tells how many messages wait for an earlier one of their key, and which", async () => {
    const q = mq.queue<number>("keyed");
    await q.publishMany([1, 2, 3], { key: "k" });
    const begun = deferred();
    const gate = deferred();
    const consumer = q.consume(async () => {
      begun.resolve();
      await gate.promise;
    });
    await begun.promise;

    expect(await q.stats()).toMatchObject({ leased: 1, ready: 0, parked: 2 });
    expect((await q.peek({ state: "parked" })).messages.map(({ body }) => body)).toEqual([2, 3]);
    expect((await q.peek()).messages).toEqual([]);
    gate.resolve();
    await consumer.close();
  });

  describe("a stream", () => {
    it("is read from the beginning by as many readers as like, with offsets counting up", async () => {
      const clicks = mq.stream<{ n: number }>("clicks");
      await clicks.publishMany([{ n: 1 }, { n: 2 }, { n: 3 }], { headers: { page: "home" }, key: "k" });

      const readers = [take(clicks.read({ from: "earliest" }), 3), take(clicks.read({ from: { offset: 1 } }), 2)];
      const [all = [], rest = []] = await Promise.all(readers);

      expect(all.map(({ offset, body }) => [offset, body.n])).toEqual([
        [0, 1],
        [1, 2],
        [2, 3],
      ]);
      expect(rest.map(({ offset }) => offset)).toEqual([1, 2]);
      expect(all[0]).toMatchObject({ stream: "clicks", headers: { page: "home" }, key: "k", trimmed: false });
    });

    it("with compaction is read as a table: the newest value of each key, and tombstones take keys away", async () => {
      const prices = mq.stream<number>("prices");
      expect(await prices.declare({ compaction: true, tombstoneMs: 3_600_000 })).toEqual({ created: true });
      const followed = prices.read({ from: "earliest" });
      const live = take(followed, 6);
      for (const [key, price] of [
        ["a", 1],
        ["b", 2],
        ["a", 3],
        ["c", 4],
        ["a", 5],
      ] as const)
        await prices.publish(price, { key });
      await prices.tombstone("c");
      const shown = await eventually(async () => {
        const stats = await prices.stats();
        return stats.messages === 3 ? [stats] : [];
      });

      const table = await take(prices.read({ from: { offset: 0 } }), 3);

      expect((await live).map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5]);
      expect(table.map(({ key, body, isTombstone, trimmed }) => [key, body, isTombstone, trimmed])).toEqual([
        ["b", 2, false, false],
        ["a", 5, false, false],
        ["c", null, true, false],
      ]);
      expect(shown[0]).toMatchObject({ earliest: 1, next: 6, compactedTotal: 3 });
      await expect(prices.declare({ compaction: false })).rejects.toThrow(Conflict);
    });

    it("with compaction shows a group the newest of every key that it has not passed", async () => {
      const prices = mq.stream<number>("prices");
      await prices.declare({ compaction: true });
      for (const key of ["a", "b", "a", "b"]) await prices.publish(1, { key });
      await prices.tombstone("b");
      await eventually(async () => ((await prices.stats()).messages === 2 ? [true] : []));
      const seen: unknown[] = [];
      const all = deferred();
      const consumer = prices.group("g").consume(
        ({ sequence, key, body, isTombstone }) => {
          if (seen.push([sequence, key, body, isTombstone]) === 2) all.resolve();
        },
        { from: "earliest" },
      );
      await all.promise;
      await consumer.close();

      expect(seen).toEqual([
        [2, "a", 1, false],
        [4, "b", null, true],
      ]);
    });

    it("tells where a time begins", async () => {
      const clicks = mq.stream<number>("clicks");
      await clicks.publishMany([1, 2]);

      expect(await clicks.offsetAt(0)).toBe(0);
      expect(await clicks.offsetAt(new Date(Date.now() + 3_600_000))).toBe(2);
      await expect(mq.stream("none").offsetAt(0)).rejects.toThrow(QueueNotFound);
    });

    it("gives a reader every message once through kill -9 of the broker", async () => {
      const numbers = mq.stream<number>("numbers");
      await numbers.publishMany(range(500));
      const reading = take(numbers.read({ from: "earliest" }), 1_000);
      await rig.stop("SIGKILL");
      const published = numbers.publishMany(range(500, 500));
      await rig.start();
      await published;

      expect((await reading).map(({ body }) => body)).toEqual(range(1_000));
    });

    it("holds up nothing else when a reader does not take what comes", async () => {
      const numbers = mq.stream<number>("numbers");
      await numbers.publishMany(range(20_000));
      const reader = numbers.read({ from: "earliest" });
      expect((await reader.next()).value?.body).toBe(0);
      const pong = gather<string>(1);
      mq.queue<string>("ping").consume(pong.handler);
      await mq.queue("ping").publish("pong");
      expect(await pong.all).toEqual(["pong"]);

      const rest = await take(reader, 19_999);
      expect(rest.map(({ body }) => body)).toEqual(range(19_999, 1));
    });

    it("is read by a callback that is waited for, and ends when it is closed", async () => {
      const numbers = mq.stream<number>("numbers");
      await numbers.publishMany(range(2_500));
      const got: number[] = [];
      let running = 0;
      const all = deferred();
      const reader = numbers.read({
        from: "earliest",
        onMessages: async (messages) => {
          expect(++running).toBe(1);
          await new Promise(setImmediate);
          got.push(...messages.map(({ body }) => body));
          running--;
          if (got.length === 2_500) all.resolve();
        },
      });
      await all.promise;
      await reader.close();
      await reader.closed;

      expect(got).toEqual(range(2_500));
      expect(reader.offset).toBe(2_500);
    });

    it("tells a reader that comes too late what retention took", async () => {
      const short = mq.stream<number>("short");
      await short.declare({ retentionCount: 5 });
      for (const n of range(20)) await short.publish(n);
      const trimmed: number[] = [];

      const [first] = await take(short.read({ from: { offset: 0 }, onTrimmed: (n) => trimmed.push(n) }), 1);

      expect(first?.offset).toBeGreaterThanOrEqual(15);
      expect(first?.trimmed).toBe(true);
      expect(trimmed).toEqual([first?.offset]);
    });

    it("ends a reader when it is deleted", async () => {
      const gone = mq.stream("gone");
      await gone.publish(1);
      const reader = gone.read({ from: "latest" });
      const next = reader.next();
      next.catch(() => {});
      await mq.queues();
      await gone.delete();

      await expect(next).rejects.toBeInstanceOf(QueueNotFound);
      await expect(reader.closed).rejects.toBeInstanceOf(QueueNotFound);
    });

    it("takes neither delay nor priority, and says so before anything is sent", async () => {
      const options = { delayMs: 5 } as object;
      await expect(mq.stream("clicks").publish(1, options)).rejects.toBeInstanceOf(InvalidRequest);
      await expect(mq.stream("clicks").stats()).rejects.toBeInstanceOf(QueueNotFound);
    });

    it("is replayed to a queue", async () => {
      const clicks = mq.stream<number>("clicks");
      await clicks.publishMany(range(10));
      await mq.queue("again").declare();
      const what = { first: 2, last: 4, queue: "again" };

      expect(await clicks.replay({ ...what, dryRun: true })).toEqual({ count: 3 });
      expect(await mq.queue("again").stats()).toMatchObject({ ready: 0 });
      expect(await clicks.replay(what)).toEqual({ count: 3 });

      const again = gather<number>(3);
      mq.queue<number>("again").consume(again.handler);
      expect(await again.all).toEqual([2, 3, 4]);
    });
  });

  describe("a group", () => {
    it("shares a stream, another group gets everything again, and each says how far it is", async () => {
      const clicks = mq.stream<number>("clicks");
      await clicks.publishMany(range(10));
      const a = gather<number>(10);
      const b = gather<number>(10);
      const consumers = [
        clicks.group("a").consume(a.handler, { from: "earliest" }),
        clicks.group("a").consume(a.handler, { from: "earliest" }),
        clicks.group("b").consume(b.handler, { from: "earliest" }),
      ];

      expect((await a.all).sort((x, y) => x - y)).toEqual(range(10));
      expect(await b.all).toEqual(range(10));
      await Promise.all(consumers.map((consumer) => consumer.close()));
      expect(await clicks.group("a").stats()).toMatchObject({ committed: 10, lag: 0 });
      expect((await clicks.stats()).groups.map(({ name }) => name).sort()).toEqual(["clicks/a", "clicks/b"]);
      expect((await mq.streams()).map(({ name }) => name)).toEqual(["clicks"]);
    });

    it("puts a message aside when its attempts are used, and redrives it for itself alone", async () => {
      const clicks = mq.stream<string>("clicks");
      const group = clicks.group("strict");
      await group.declare({ attemptsMax: 1, backoffMs: 0 }, { from: "latest" });
      await clicks.publish("first");
      const failed = deferred();
      const strict = group.consume(() => {
        failed.resolve();
        throw new Error("not now");
      });
      await failed.promise;
      await strict.close();
      expect(await mq.queue("clicks.strict.dead").stats()).toMatchObject({ ready: 1 });

      expect(await group.redrive()).toEqual({ count: 1 });
      const again = deferred<[string, number, string]>();
      group.consume((m) => again.resolve([m.body, m.sequence, m.queue]));
      expect(await again.promise).toEqual(["first", 0, "clicks/strict"]);
    });

    it("is put back, and goes on from there", async () => {
      const clicks = mq.stream<number>("clicks");
      await clicks.publishMany(range(5));
      const group = clicks.group("g");
      const first = gather<number>(5);
      const consumer = group.consume(first.handler, { from: "earliest" });
      await first.all;
      await consumer.close();
      expect(await group.stats()).toMatchObject({ committed: 5, lag: 0 });

      expect(await group.reset({ offset: 3 })).toEqual({ offset: 3 });
      expect(await group.stats()).toMatchObject({ committed: 3, lag: 2 });
      const again = gather<number>(2);
      group.consume(again.handler);
      expect(await again.all).toEqual([3, 4]);
    });

    it("is consumed by for await, and is gone when it is deleted", async () => {
      const clicks = mq.stream<number>("clicks");
      await clicks.publishMany([1, 2]);
      const group = clicks.group("loop");
      await group.declare({}, { from: "earliest" });
      const got: number[] = [];
      for await (const m of group.messages()) {
        await m.ack();
        if (got.push(m.body) === 2) break;
      }
      expect(got).toEqual([1, 2]);
      await group.delete();
      await expect(group.stats()).rejects.toBeInstanceOf(QueueNotFound);
    });
  });

  describe("a topic", () => {
    it("reaches all that is bound to it, with one id and a placement for each", async () => {
      await mq.queue("billing").declare();
      await mq.stream("audit").declare();
      await mq.stream("audit").group("trail").declare();
      expect(await mq.bind("orders.*", { queue: "billing" })).toEqual({ changed: true });
      await mq.bind("orders.#", { stream: "audit", headers: { values: { Region: "eu" } } });
      await mq.bind("orders.#", { queue: "billing" });

      const eu = await mq.topic("orders.new").publish({ id: 1 }, { headers: { Region: "eu" } });
      const us = await mq.topic("orders.new").publish({ id: 2 }, { headers: { Region: "us" } });

      expect([eu.routed, us.routed]).toEqual([2, 1]);
      const { placements = [] } = await mq.message(eu.id);
      expect(placements.map(({ queue, state }) => [queue, state])).toEqual([
        ["billing", "queued"],
        ["audit/trail", "queued"],
      ]);
      expect(await mq.queue("billing").stats()).toMatchObject({ ready: 2 });
      expect(await mq.stream("audit").stats()).toMatchObject({ messages: 1 });
      expect(await mq.bindings()).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ topic: "orders.*", queue: "billing" }),
          { topic: "orders.#", stream: "audit", headers: { match: "all", values: { Region: "eu" } } },
        ]),
      );
    });

    it("that nothing matches routes to nobody, or refuses what is mandatory and only that", async () => {
      const topic = mq.topic<number>("nobody.listens");
      const [plain, mandatory] = await Promise.allSettled([topic.publish(1), topic.publish(2, { mandatory: true })]);

      expect(plain).toMatchObject({ status: "fulfilled", value: { routed: 0 } });
      expect(mandatory.status === "rejected" && mandatory.reason).toBeInstanceOf(Unroutable);
      const { id } = await topic.publish(3);
      expect(await mq.message(id)).toMatchObject({ state: "unrouted" });
    });

    it("is no longer copied when its binding is taken away", async () => {
      await mq.queue("billing").declare();
      await mq.bind("orders.*", { queue: "billing" });
      expect(await mq.unbind("orders.*", { queue: "billing" })).toEqual({ changed: true });
      expect(await mq.topic("orders.new").publish(1)).toMatchObject({ routed: 0 });
      await expect(mq.bind("orders.*", { queue: "absent" })).rejects.toBeInstanceOf(QueueNotFound);
    });

    it("is published to together with an ack", async () => {
      await mq.queue("out").declare();
      await mq.bind("done.*", { queue: "out" });
      await mq.queue<number>("in").publish(7);
      const out = gather<number>(1);
      mq.queue<number>("in").consume((m) => m.done({ publish: [{ topic: "done.well", body: m.body * 2 }] }));
      mq.queue<number>("out").consume(out.handler);

      expect(await out.all).toEqual([14]);
    });
  });

  it("a schedule is made, listed, paused, run and deleted", async () => {
    const { nextAt } = await mq.schedule("nightly", {
      cron: "0 3 * * *",
      zone: "Europe/Berlin",
      queue: "reports",
      message: { body: { reportKind: "daily" }, headers: { by: "schedule" } },
    });
    expect(nextAt).toBeGreaterThan(Date.now());
    expect(await mq.schedules.list()).toMatchObject([
      { name: "nightly", cron: "0 3 * * *", queue: "reports", paused: false, nextAt, body: { reportKind: "daily" } },
    ]);
    expect(await mq.schedules.list()).toMatchObject([{ lastError: null }]);
    await mq.schedules.pause("nightly");
    expect(await mq.schedules.list()).toMatchObject([{ paused: true }]);
    await mq.schedules.resume("nightly");

    const report = deferred<unknown>();
    mq.queue("reports").consume((m) => report.resolve([m.body, m.headers["by"]]));
    await mq.schedules.run("nightly");
    expect(await report.promise).toEqual([{ reportKind: "daily" }, "schedule"]);

    await mq.schedules.delete("nightly");
    expect(await mq.schedules.list()).toEqual([]);
  });

  describe("a queue", () => {
    it("keeps all its settings", async () => {
      const settings = {
        leaseMs: 5_000,
        attemptsMax: 2,
        backoffMs: 10,
        backoffMaxMs: 20,
        deadLetter: "graves",
        expireMs: 60_000,
        concurrencyMax: 3,
        rateMax: 100,
        lengthMax: 2,
        bytesMax: 10_000,
        overflow: "drop_oldest",
      } as const;
      const q = mq.queue<number>("strict");
      expect(await q.declare(settings)).toEqual({ created: true });
      expect((await q.details()).settings).toEqual(settings);
      await expect(q.declare({ leaseMs: 1_000 })).rejects.toBeInstanceOf(Conflict);
      await q.declare({ leaseMs: 1_000 }, { update: true });
      for (const n of [1, 2, 3]) await q.publish(n);
      expect((await q.peek()).messages.map(({ body }) => body)).toEqual([2, 3]);
    });

    it("is searched by text, header and key, over as many pages as there are", async () => {
      const q = mq.queue<string>("many");
      await Promise.all(range(450).map((n) => q.publish(`needle ${n}`, { headers: { Even: String(n % 2 === 0) } })));
      await q.publish("hay", { key: "k" });
      const found: unknown[] = [];
      for await (const { body } of q.search({ text: "needle" })) found.push(body);
      expect(found).toEqual(range(450).map((n) => `needle ${n}`));

      const even: unknown[] = [];
      for await (const { body } of q.search({ headers: { Even: "true" } })) even.push(body);
      expect(even).toHaveLength(225);
      const keyed: unknown[] = [];
      for await (const { body } of q.search({ key: "k" })) keyed.push(body);
      expect(keyed).toEqual(["hay"]);
    });

    it("gets a corrected message instead of a dead one", async () => {
      const q = mq.queue<{ to: string }>("emails");
      const { id } = await q.publish({ to: "nobody" });
      const dead = deferred();
      await using _refusing = q.consume(async (m) => {
        if (m.body.to !== "nobody") return;
        await m.nack({ dead: true, reason: "no such address" });
        dead.resolve();
      });
      await dead.promise;

      const graves = mq.queue<{ to: string }>("emails.dead");
      const edited = await graves.edit(id, { to: "ada" }, { headers: { fixed: "yes" } });
      expect(edited.id).not.toBe(id);
      expect(await mq.message(edited.id)).toMatchObject({
        body: { to: "ada" },
        headers: { fixed: "yes", "postroad-cause": id },
      });
      expect(await graves.stats()).toMatchObject({ ready: 0 });
    });

    it("discards what it is told to", async () => {
      const q = mq.queue<number>("some");
      const [first] = await q.publishMany([1, 2]);
      expect(await q.discard([first?.id ?? ""])).toEqual({ count: 1 });
      expect((await q.peek()).messages.map(({ body }) => body)).toEqual([2]);
    });
  });

  it("cancelling a message stops its handler by the signal, and the message is cancelled", async () => {
    const q = mq.queue<number>("work");
    const { id } = await q.publish(1);
    const begun = deferred();
    const stopped = deferred<unknown>();
    const consumer = q.consume(async (_m, { signal }) => {
      begun.resolve();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      stopped.resolve(signal.reason);
    });
    await begun.promise;
    await mq.cancel(id);

    expect(await stopped.promise).toBeInstanceOf(LeaseLost);
    await consumer.close();
    expect(await mq.message(id)).toMatchObject({ state: "cancelled" });
  });

  describe("a call", () => {
    it("resolves with what the handler returned, many at a time over one connection", async () => {
      const double = mq.queue<number>("double");
      double.consume((m) => ({ doubled: m.body * 2 }), { concurrency: 50 });

      const results = await Promise.all(range(400).map((n) => double.call<{ doubled: number }>(n)));

      expect(results).toEqual(range(400).map((n) => ({ doubled: n * 2 })));
    });

    it("resolves through a restart of the broker", async () => {
      const q = mq.queue<number>("slow");
      const begun = deferred();
      const gate = deferred();
      q.consume(async (m) => {
        begun.resolve();
        await gate.promise;
        return m.body + 1;
      });
      const result = q.call(1);
      await begun.promise;
      await rig.stop("SIGKILL");
      await reaches(mq, "reconnecting");
      await rig.start();
      await mq.ready();
      gate.resolve();

      expect(await result).toBe(2);
    });

    it("fails with the state and the reason when the message is dead, cancelled or expired", async () => {
      const q = mq.queue<string>("doomed");
      await q.declare({ attemptsMax: 1 });
      const failing = q.consume(() => {
        throw new Error("too hard");
      });
      const dead = await q.call("a").catch((error: unknown) => error);
      expect(dead).toBeInstanceOf(CallFailed);
      expect(dead).toMatchObject({ code: "call-failed", state: "dead", reason: "too hard" });
      await failing.close();

      const waiting = q.call("b", { delayMs: 60_000, expireMs: 120_000 }).catch((error: unknown) => error);
      const [message] = await eventually(async () => (await q.peek({ state: "delayed" })).messages);
      await mq.cancel(message?.id ?? "");
      expect(await waiting).toMatchObject({ code: "call-failed", state: "cancelled" });
      expect(await q.call("c", { expireMs: 1 }).catch((error: unknown) => error)).toMatchObject({ state: "expired" });
    });

    it("gives up at its timeout or its signal, and the message goes on", async () => {
      const q = mq.queue<string>("nobody");
      const late = await q.call("a", { timeoutMs: 50 }).catch((error: unknown) => error);
      expect(late).toBeInstanceOf(CallTimeout);
      expect(late).toMatchObject({ messageId: expect.stringMatching(/-0$/) });
      const controller = new AbortController();
      const aborted = q.call("b", { signal: controller.signal });
      controller.abort(new Error("enough"));
      await expect(aborted).rejects.toThrow("enough");
      await mq.flush();
      expect(await q.stats()).toMatchObject({ ready: 2 });
    });
  });

  describe("a batch consumer", () => {
    it("takes up to its size at once, and returning acks all", async () => {
      const q = mq.queue<number>("rows");
      await q.publishMany(range(250));
      const sizes: number[] = [];
      const all = deferred();
      const consumer = q.consumeBatch(
        (messages) => {
          sizes.push(messages.length);
          if (sizes.reduce((sum, size) => sum + size) === 250) all.resolve();
        },
        { size: 100, waitMs: 50 },
      );
      await all.promise;
      await consumer.close();

      expect(sizes).toEqual([100, 100, 50]);
      expect(await q.stats()).toMatchObject({ ready: 0, leased: 0, ackedTotal: 250 });
    });

    it("is done as one: acks, results and further messages are one record", async () => {
      const q = mq.queue<number>("rows");
      const receipts = await q.publishMany([1, 2, 3]);
      const consumer = q.consumeBatch(
        (messages, { done }) =>
          done({
            results: messages.map(({ body }) => (body === 2 ? undefined : { double: body * 2 })),
            publish: [{ queue: "sums", body: messages.reduce((sum, { body }) => sum + body, 0) }],
          }),
        { size: 3 },
      );
      const ids = receipts.map(({ id }) => id);
      await expect.poll(async () => (await q.stats()).ackedTotal, { timeout: 20_000 }).toBe(3);
      await consumer.close();

      const shown = await Promise.all(ids.map((id) => mq.message(id)));
      expect(shown.map(({ result }) => result)).toEqual([{ double: 2 }, null, { double: 6 }]);
      expect(new Set(shown.map(({ timeline }) => timeline.at(-1)?.position)).size).toBe(1);
      expect((await mq.queue("sums").peek()).messages.map(({ body }) => body)).toEqual([6]);
    });

    it("is not done at all if a lease was lost: nothing is published, and the others come again", async () => {
      const q = mq.queue<number>("rows");
      await q.declare({ backoffMs: 0 });
      const [first] = await q.publishMany([1, 2]);
      const errors: string[] = [];
      const attempts: number[][] = [];
      const again = deferred();
      const consumer = q.consumeBatch(
        async (messages, { done }) => {
          attempts.push(messages.map(({ attempt }) => attempt));
          if (attempts.length === 1) await mq.cancel(first?.id ?? "");
          else again.resolve();
          return done({ publish: [{ queue: "sums", body: messages.length }] });
        },
        { size: 2, waitMs: 300 },
      );
      consumer.on("error", ({ code }) => errors.push(code));
      await again.promise;
      await consumer.close();

      expect(attempts).toEqual([[1, 1], [2]]);
      expect((await mq.queue("sums").peek()).messages.map(({ body }) => body)).toEqual([1]);
      expect(await q.stats()).toMatchObject({ ackedTotal: 1, ready: 0, leased: 0 });
    });

    it("is tried again when what it publishes is refused", async () => {
      const q = mq.queue<number>("rows");
      const full = mq.queue<number>("full");
      await q.declare({ attemptsMax: 1 });
      await full.declare({ lengthMax: 1 });
      await full.publish(0);
      await q.publishMany([1, 2]);
      const consumer = q.consumeBatch((_, { done }) => done({ publish: [{ queue: "full", body: 1 }] }), { size: 2 });
      const refused = deferred<string>();
      consumer.on("error", ({ code }) => refused.resolve(code));

      expect(await refused.promise).toBe("queue-full");
      await consumer.close();
      const dead = await mq.queue("rows.dead").peek();
      expect(dead.messages.map(({ body, reason }) => [body, reason?.includes("full")])).toEqual([
        [1, true],
        [2, true],
      ]);
    });

    it("nacks what it has not settled itself when it throws", async () => {
      const q = mq.queue<number>("rows");
      await q.declare({ attemptsMax: 1 });
      await q.publishMany([1, 2, 3]);
      const done = deferred();
      const consumer = q.consumeBatch(
        async (messages) => {
          await messages[0]?.ack();
          done.resolve();
          throw new Error("disk full");
        },
        { size: 3 },
      );
      await done.promise;
      await consumer.close();

      const { messages } = await mq.queue("rows.dead").peek();
      expect(messages.map(({ body, reason }) => [body, reason])).toEqual([
        [2, "disk full"],
        [3, "disk full"],
      ]);
    });
  });
});

/** Asks until there is something. */
async function eventually<T>(ask: () => Promise<readonly T[]>): Promise<readonly T[]> {
  for (;;) {
    const found = await ask();
    if (found.length > 0) return found;
  }
}
