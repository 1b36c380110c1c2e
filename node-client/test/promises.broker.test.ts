/** Promises of the whole model, each against the real gateway and broker, where they are installed. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import {
  type Client,
  connect,
  defineQueue,
  type GroupStats,
  InvalidMessage,
  idempotent,
  type Message,
  memoryStore,
  QueueFull,
  type QueueStats,
  type StandardSchema,
  type StreamMessage,
} from "../src/index.js";
import { hasBroker, withBroker } from "./rig.js";
import { deferred } from "./support.js";

const range = (length: number, from = 0): number[] => Array.from({ length }, (_, n) => from + n);
const PATIENCE = { timeout: 20_000, interval: 20 };

describe.skipIf(!hasBroker)("with a real broker", { timeout: 60_000 }, () => {
  const rig = withBroker();
  let mq: Client;
  beforeEach(() => {
    mq = rig.mq;
  });

  /** The next messages of a consumer, each acked. */
  function gather<T, R = T>(count: number, of: (m: Message<T>) => R = (m) => m.body as unknown as R) {
    const got: R[] = [];
    const all = deferred<R[]>();
    return { got, all: all.promise, handler: (m: Message<T>) => void (got.push(of(m)) === count && all.resolve(got)) };
  }

  describe("time", () => {
    it("a message is not delivered before its time, also through kill -9 of the broker", async () => {
      const q = mq.queue<string>("later");
      const at = Date.now() + 1_500;
      await q.publish("in time", { deliverAt: new Date(at) });
      await q.publish("passed", { deliverAt: 1_000 });
      const [delayed] = (await q.peek({ state: "delayed" })).messages;
      expect(Math.abs((delayed?.due ?? 0) - at)).toBeLessThan(1_000);
      await rig.stop("SIGKILL");
      await rig.start();
      const got = gather<string, [string, boolean]>(2, (m) => [m.body, Date.now() >= (delayed?.due ?? 0)]);
      q.consume(got.handler);

      expect(new Map(await got.all)).toEqual(
        new Map([
          ["passed", expect.any(Boolean)],
          ["in time", true],
        ]),
      );
    });

    it("a message may wait for years, and is listed with its time", async () => {
      const q = mq.queue<string>("birthday");
      const at = new Date(Date.now() + 5 * 365 * 86_400_000);
      const { id } = await q.publish("happy", { deliverAt: at });
      expect(await mq.message(id)).toMatchObject({ state: "delayed" });
      expect(await q.stats()).toMatchObject({ ready: 0, delayed: 1 });
      await expect(q.publish("x", { deliverAt: at, delayMs: 1 })).rejects.toMatchObject({ code: "invalid-request" });
    });

    it("a delayed message that is cancelled is never delivered", async () => {
      const q = mq.queue<string>("reminders");
      const { id } = await q.publish("cancelled", { delayMs: 300 });
      await mq.cancel(id);
      const got = gather<string>(1);
      q.consume(got.handler);
      await q.publish("goes on", { delayMs: 600 });

      expect(await got.all).toEqual(["goes on"]);
      expect(await mq.message(id)).toMatchObject({ state: "cancelled" });
    });

    it("a message that has expired is not delivered", async () => {
      const q = mq.queue<string>("news");
      const { id } = await q.publish("old", { expireMs: 1 });
      await vi.waitFor(async () => expect((await mq.message(id)).state).toBe("expired"), PATIENCE);
      const got = gather<string>(1);
      q.consume(got.handler);
      await q.publish("new");

      expect(await got.all).toEqual(["new"]);
    });

    it("a schedule keeps to the clock of its time zone", async () => {
      for (const zone of ["Europe/Berlin", "America/New_York", "Asia/Kolkata"]) {
        const { nextAt } = await mq.schedule("zoned", { cron: "30 3 * * *", zone, queue: "q", message: { body: 1 } });
        const clock = new Intl.DateTimeFormat("en-GB", { timeZone: zone, timeStyle: "medium" });
        expect(clock.format(nextAt ?? 0)).toBe("03:30:00");
      }
    });

    it("a schedule fires neither twice nor not at all through kill -9 of the broker", async () => {
      const q = mq.queue("beats");
      await q.declare();
      await mq.schedule("beat", { everyMs: 1_000, queue: "beats", message: { body: "tick" } });
      const fired = async (): Promise<number> => (await mq.schedules.list())[0]?.fired ?? 0;
      await vi.waitFor(async () => expect(await fired()).toBeGreaterThanOrEqual(1), PATIENCE);
      await rig.stop("SIGKILL");
      await rig.start();
      const before = await fired();
      await vi.waitFor(async () => expect(await fired()).toBeGreaterThan(before), PATIENCE);
      await mq.schedules.pause("beat");

      const times = (await q.peek({ limit: 100 })).messages.map(({ publishedAt }) => publishedAt);
      expect(times).toHaveLength(await fired());
      expect(new Set(times.map((at) => Math.floor(at / 1_000))).size).toBe(times.length);
    });
  });

  describe("order", () => {
    it("a key whose message keeps failing holds up itself and no other, and goes on when that is dead", async () => {
      const q = mq.queue<string>("accounts");
      await q.declare({ attemptsMax: 3, backoffMs: 50, backoffMaxMs: 50 });
      for (const body of ["bad 1", "good 1", "bad 2", "good 2"])
        await q.publish(body, { key: body.split(" ")[0] ?? "" });
      const got = gather<string>(6);
      q.consume(
        (m) => {
          got.handler(m);
          if (m.body === "bad 1") throw new Error("no");
        },
        { concurrency: 4 },
      );

      const order = await got.all;
      expect(order.filter((body) => body.startsWith("bad"))).toEqual(["bad 1", "bad 1", "bad 1", "bad 2"]);
      expect(order.filter((body) => body.startsWith("good"))).toEqual(["good 1", "good 2"]);
      expect(order.indexOf("good 2")).toBeLessThan(order.indexOf("bad 2"));
      expect((await mq.queue("accounts.dead").peek()).messages.map(({ body }) => body)).toEqual(["bad 1"]);
    });
  });

  describe("limits", () => {
    it("a queue gives out no more in a second than its rate", async () => {
      const q = mq.queue<number>("slow");
      await q.declare({ rateMax: 20 });
      const got = gather<number, number>(60, () => Date.now());
      q.consume(got.handler, { concurrency: 60 });
      await q.publishMany(range(60));

      const times = await got.all;
      // A second's worth may have been saved up: what comes after it takes as long as the rate says.
      expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(1_500);
    });

    it("a paused queue takes messages and gives none out until it is resumed", async () => {
      const q = mq.queue<string>("road");
      await q.declare();
      await q.pause("repair");
      const got = gather<string>(1);
      q.consume(got.handler);
      await q.publish("waits");
      const other = gather<string>(1);
      mq.queue<string>("other").consume(other.handler);
      await mq.queue("other").publish("passes");
      await other.all;
      expect(await q.stats()).toMatchObject({ paused: true, ready: 1, leased: 0, consumers: 1 });
      expect(got.got).toEqual([]);

      await q.resume();
      expect(await got.all).toEqual(["waits"]);
    });

    it("purging takes what is ready and delayed, and leaves what is worked on", async () => {
      const q = mq.queue<string>("bin");
      const [begun, gate] = [deferred(), deferred()];
      await q.publish("worked on");
      const consumer = q.consume(
        async () => {
          begun.resolve();
          await gate.promise;
        },
        { prefetch: 1 },
      );
      await begun.promise;
      await q.publishMany(["a", "b"]);
      await q.publish("c", { delayMs: 60_000 });

      expect(await q.purge()).toEqual({ count: 3 });
      gate.resolve();
      await consumer.close();
      expect(await q.stats()).toMatchObject({ ready: 0, delayed: 0, ackedTotal: 1 });
    });

    it("a queue at its bound of messages or bytes refuses, and takes more when something is settled", async () => {
      const short = mq.queue<string>("short");
      await short.declare({ lengthMax: 2 });
      await short.publishMany(["a", "b"]);
      await expect(short.publish("c")).rejects.toBeInstanceOf(QueueFull);
      const small = mq.queue<string>("small");
      await small.declare({ bytesMax: 100, overflow: "reject" });
      await small.publish("x".repeat(80));
      await expect(small.publish("x".repeat(80))).rejects.toMatchObject({ code: "queue-full", retryable: true });

      await small.purge();
      await small.publish("x".repeat(80));
      expect(await small.stats()).toMatchObject({ ready: 1 });
    });

    it("a queue that drops its oldest keeps the newest, by messages and by bytes", async () => {
      const bodies = async (name: string) => (await mq.queue(name).peek()).messages.map(({ body }) => String(body)[0]);
      await mq.queue("few").declare({ lengthMax: 2, overflow: "drop_oldest" });
      await mq.queue("thin").declare({ bytesMax: 100, overflow: "drop_oldest" });
      for (const letter of ["a", "b", "c"]) {
        await mq.queue("few").publish(letter);
        await mq.queue("thin").publish(letter.repeat(45));
      }
      expect(await bodies("few")).toEqual(["b", "c"]);
      expect(await bodies("thin")).toEqual(["b", "c"]);
    });
  });

  describe("dead letters", () => {
    it("go back by what is in them, and the others stay", async () => {
      const q = mq.queue<{ to: string }>("emails");
      await q.declare({ attemptsMax: 1 });
      await q.publishMany([{ to: "ada@good.example" }, { to: "bob@bad.example" }, { to: "eve@good.example" }]);
      const failed = gather<{ to: string }>(3);
      const failing = q.consume((m) => {
        failed.handler(m);
        throw new Error("smtp 421");
      });
      await failed.all;
      await failing.close();
      const graves = mq.queue<{ to: string }>("emails.dead");
      const ids: string[] = [];
      for await (const { id } of graves.search({ text: "@good.example" })) ids.push(id);

      expect(await graves.redrive({ messages: ids })).toEqual({ count: 2 });
      const got = gather<{ to: string }, [string, number]>(2, (m) => [m.body.to, m.attempt]);
      q.consume(got.handler);
      expect(await got.all).toEqual([
        ["ada@good.example", 1],
        ["eve@good.example", 1],
      ]);
      expect((await graves.peek()).messages.map(({ body }) => (body as { to: string }).to)).toEqual([
        "bob@bad.example",
      ]);
    });
  });

  describe("a topic", () => {
    it("is matched word by word: * is one, # any number, also none", async () => {
      const patterns = ["orders.*", "orders.#", "*.created", "#", "orders.created.eu"];
      for (const [index, pattern] of patterns.entries()) {
        await mq.queue(`q${index}`).declare();
        await mq.bind(pattern, { queue: `q${index}` });
      }
      const routed: number[] = [];
      for (const topic of ["orders", "orders.created", "orders.created.eu", "users.created"])
        routed.push((await mq.topic(topic).publish(topic)).routed);

      expect(routed).toEqual([2, 4, 3, 2]);
    });

    it("is copied by any or by all of the headers asked for", async () => {
      for (const match of ["any", "all"] as const) {
        await mq.queue(match).declare();
        await mq.bind("#", { queue: match, headers: { match, values: { region: "eu", kind: "vip" } } });
      }
      const headers = [{ region: "eu" }, { region: "eu", kind: "vip" }, { region: "us" }];
      const routed: number[] = [];
      for (const each of headers) routed.push((await mq.topic("t").publish(1, { headers: each })).routed);

      expect(routed).toEqual([1, 2, 0]);
    });

    it("that one full queue refuses reaches nobody", async () => {
      await mq.queue("full").declare({ lengthMax: 1 });
      await mq.queue("roomy").declare();
      for (const queue of ["full", "roomy"]) await mq.bind("t", { queue });
      await mq.topic("t").publish(1);

      await expect(mq.topic("t").publish(2)).rejects.toBeInstanceOf(QueueFull);
      expect(await mq.queue("roomy").stats()).toMatchObject({ ready: 1 });
    });
  });

  describe("a stream", () => {
    const taken = async <T>(source: AsyncIterable<StreamMessage<T>>, count: number): Promise<T[]> => {
      const bodies: T[] = [];
      for await (const { body } of source) if (bodies.push(body) === count) break;
      return bodies;
    };

    it("is read from its end, from a time, and live", async () => {
      const s = mq.stream<number>("s");
      await s.publishMany([0, 1]);
      const at = (await s.publish(2).then(({ id }) => mq.message(id))).publishedAt;
      const before = (await mq.message((await s.publish(3)).id)).publishedAt;
      expect(before).toBeGreaterThanOrEqual(at);

      expect(await taken(s.read({ from: { last: 2 } }), 2)).toEqual([2, 3]);
      expect((await taken(s.read({ from: { at } }), 1))[0]).toBeLessThanOrEqual(2);
      expect(await taken(s.read({ from: { at: at - 3_600_000 } }), 4)).toEqual([0, 1, 2, 3]);
      const live = s.read();
      const next = live.next();
      await vi.waitFor(() => expect(live.offset).toBe(4));
      await s.publish(4);
      expect((await next).value?.body).toBe(4);
      await live.close();
    });

    it("gives a group that is put back to a time, the beginning or the end what is from there on", async () => {
      const s = mq.stream<number>("s");
      await s.publishMany(range(5));
      const group = s.group("g");
      await group.declare({}, { from: "earliest" });

      expect(await group.reset("latest")).toEqual({ offset: 5 });
      expect(await group.stats()).toMatchObject({ lag: 0 });
      expect(await group.reset("earliest")).toEqual({ offset: 0 });
      expect(await group.reset({ at: Date.now() + 60_000 })).toEqual({ offset: 5 });
      expect(await group.reset({ at: Date.now() - 3_600_000 })).toEqual({ offset: 0 });
      const got = gather<number>(5);
      group.consume(got.handler);
      expect(await got.all).toEqual(range(5));
    });

    it("keeps no more bytes than it should", async () => {
      const s = mq.stream<string>("s");
      await s.declare({ retentionBytes: 1_000 });
      for (const n of range(50)) await s.publish(`${n} `.padEnd(98));
      const { messages, bytes, earliest, next } = await s.stats();
      expect([(bytes ?? 0) <= 1_100, messages, earliest + messages]).toEqual([true, 50 - earliest, next]);
      expect(messages).toBeGreaterThan(0);
    });
  });

  describe("numbers", () => {
    it("of a queue are pushed as they change, with the consumers and what each holds", async () => {
      const q = mq.queue<number>("work");
      await q.declare({ attemptsMax: 1 });
      const states: QueueStats[] = [];
      const end = mq.watchQueue("work", { onState: ({ stats }) => stats !== undefined && states.push(stats) });
      const gate = deferred();
      await q.publish(0, { delayMs: 60_000 });
      const consumer = q.consume(
        async (m) => {
          await gate.promise;
          if (m.body === 1) throw new Error("no");
        },
        { concurrency: 2, prefetch: 2, name: "worker-1" },
      );
      await q.publishMany([1, 2, 3, 4]);
      const saw = (wanted: Partial<QueueStats>): Promise<void> =>
        vi.waitFor(() => expect(states).toContainEqual(expect.objectContaining(wanted)), PATIENCE);
      await saw({ ready: 2, leased: 2, delayed: 1, consumers: 1 });
      const [held] = (await q.details()).consumers;
      expect(held).toMatchObject({ consumer: "worker-1", leased: 2, prefetch: 2 });
      gate.resolve();

      await saw({ ready: 0, leased: 0, ackedTotal: 3, deadTotal: 1 });
      expect(states.some(({ oldestMs }) => oldestMs !== null)).toBe(true);
      end();
      await consumer.close();
    });

    it("of a group are pushed: its lag falls as it catches up", async () => {
      const s = mq.stream<number>("s");
      const group = s.group("g");
      await group.declare({}, { from: "earliest" });
      const lags: (number | undefined)[] = [];
      const source = mq.live.group("s", "g");
      const end = source.subscribe(() => {
        const stats: GroupStats | undefined = source.get().stats;
        lags.push(stats?.lag);
      });
      await s.publishMany(range(3));
      await vi.waitFor(() => expect(lags).toContain(3), PATIENCE);
      group.consume(() => {});
      await vi.waitFor(() => expect(lags.at(-1)).toBe(0), PATIENCE);
      end();
    });
  });

  describe("definitions and handlers", () => {
    const schema: StandardSchema<{ to: string }> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) =>
          typeof (value as { to?: unknown } | null)?.to === "string"
            ? { value: value as { to: string } }
            : { issues: [{ message: "must be a string", path: ["to"] }] },
      },
    };

    it("what a definition's schema refuses is not published, and what came otherwise is dead with the reason", async () => {
      const mails = defineQueue({ name: "mails", schema, settings: { attemptsMax: 3 } });
      await mq.queue(mails).declare();
      await expect(mq.queue(mails).publish({ to: 5 } as never)).rejects.toBeInstanceOf(InvalidMessage);
      await mq.queue("mails").publish({ to: 5 });
      await mq.queue(mails).publish({ to: "ada" });
      const got = gather<{ to: string }, string>(1, (m) => m.body.to);
      mq.queue(mails).consume(got.handler);

      expect(await got.all).toEqual(["ada"]);
      await vi.waitFor(
        async () =>
          expect((await mq.queue("mails.dead").peek()).messages).toMatchObject([
            { body: { to: 5 }, reason: "The body is invalid: to: must be a string" },
          ]),
        PATIENCE,
      );
    });

    it("an idempotent handler works once, though its first ack was lost with the connection", async () => {
      const q = mq.queue<number>("charge");
      let runs = 0;
      const handler = idempotent<number>(memoryStore(), (m) => {
        runs++;
        return { charged: m.body };
      });
      const first = connect(rig.url, { name: "first" });
      const worked = deferred();
      first.queue<number>("charge").consume(async (m, context) => {
        await handler(m, context);
        worked.resolve();
        await new Promise(() => {}); // the process dies between its work and the ack
      });
      const result = q.call<{ charged: number }>(7);
      await worked.promise;
      await first.close({ drain: false });
      q.consume(handler);

      expect(await result).toEqual({ charged: 7 });
      expect(runs).toBe(1);
    });

    it("a dedup key stores a message once, also through kill -9 of the broker, and refuses another body", async () => {
      const q = mq.queue<number>("orders");
      const { id } = await q.publish(1, { dedupKey: "order-1" });
      await rig.stop("SIGKILL");
      await rig.start();

      expect(await q.publish(1, { dedupKey: "order-1" })).toMatchObject({ id, duplicate: true });
      await expect(q.publish(2, { dedupKey: "order-1" })).rejects.toMatchObject({ code: "conflict" });
      expect(await q.stats()).toMatchObject({ ready: 1 });
    });
  });
});
