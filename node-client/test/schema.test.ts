/** Definitions and schemas, idempotent handlers, batches: on the broker in memory. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  type Client,
  defineQueue,
  defineStream,
  defineTopic,
  InvalidMessage,
  InvalidName,
  InvalidRequest,
  idempotent,
  memoryStore,
  type StandardSchema,
} from "../src/index.js";
import { createTestBroker, type TestBroker } from "../src/testing/index.js";
import { deferred } from "./support.js";

const QUIET = { debug: () => {}, warn: () => {}, error: () => {} };

/** `{ to: string, at: string }` in, `{ to: string, at: Date }` out. */
const mail: StandardSchema<{ to: string; at: string }, { to: string; at: Date }> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => {
      const { to, at } = (value ?? {}) as { to?: unknown; at?: unknown };
      if (typeof to !== "string") return { issues: [{ message: "must be a string", path: ["to"] }] };
      const date = new Date(String(at));
      if (Number.isNaN(date.getTime())) return { issues: [{ message: "must be a date", path: [{ key: "at" }] }] };
      return { value: { to, at: date } };
    },
  },
};
const slowly = <In, Out>({ "~standard": inner }: StandardSchema<In, Out>): StandardSchema<In, Out> => ({
  "~standard": { ...inner, validate: async (value) => inner.validate(value) },
});
const GOOD = { to: "ada", at: "2026-01-02T03:04:05.000Z" };

let broker: TestBroker;
let mq: Client;
beforeEach(() => {
  broker = createTestBroker();
  mq = broker.connect({ logger: QUIET });
  return () => mq.close({ drain: false });
});

describe.each([
  { how: "at once", schema: mail },
  { how: "later", schema: slowly(mail) },
])("a schema that answers $how", ({ schema }) => {
  const emails = defineQueue({ name: "emails", schema });

  it("refuses a publish before anything is sent, naming what is wrong", async () => {
    const wrong = { to: "ada", at: "yesterday" };
    const refused = await mq
      .queue(emails)
      .publish(wrong)
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(InvalidMessage);
    expect(refused).toMatchObject({
      code: "invalid-message",
      retryable: false,
      issues: [{ message: "must be a date" }],
    });
    expect((refused as Error).message).toContain("at: must be a date");
    await mq.ready();
    await expect(mq.queue(emails).stats()).rejects.toMatchObject({ code: "queue-not-found" });
  });

  it("gives a handler what it made of the body, and sends the body as it was given", async () => {
    await mq.queue(emails).publish(GOOD);
    expect(broker.messages("emails")[0]?.body).toEqual(GOOD);
    const got = deferred<Date>();
    mq.queue(emails).consume(async (m) => {
      await m.progress(1);
      got.resolve(m.body.at);
    });
    expect(await got.promise).toEqual(new Date(GOOD.at));
    await broker.idle();
    expect(await mq.queue(emails).stats()).toMatchObject({ ackedTotal: 1 });
  });

  it("puts a delivered message aside that it refuses, with the reason, and the handler does not see it", async () => {
    await mq.queue("emails").publish({ to: 5 });
    await mq.queue(emails).publish(GOOD);
    const seen: string[] = [];
    mq.queue(emails).consume((m) => void seen.push(m.body.to));
    await broker.idle();
    expect(seen).toEqual(["ada"]);
    expect(broker.messages("emails.dead")).toMatchObject([
      { body: { to: 5 }, reason: "The body is invalid: to: must be a string" },
    ]);
  });

  it("counts an attempt instead, if the definition says reject", async () => {
    await mq.queue("emails").publish({ to: 5 });
    mq.queue(defineQueue({ name: "emails", schema, onInvalid: "reject" })).consume(() => {});
    await broker.idle();
    expect(broker.messages("emails")).toMatchObject([{ state: "retrying", attempts: 1 }]);
  });

  it("holds in batches, loops and groups as well", async () => {
    const log = defineStream({ name: "log", schema });
    await mq.stream("log").publishMany([{ to: 5 }, GOOD]);
    await mq.queue("emails").publishMany([{ to: 5 }, GOOD]);
    const batch = deferred<Date[]>();
    mq.queue(emails).consumeBatch((messages) => batch.resolve(messages.map(({ body }) => body.at)), { size: 2 });
    expect(await batch.promise).toEqual([new Date(GOOD.at)]);

    for await (const m of mq.stream(log).group("g").messages({ from: "earliest" })) {
      expect(m.body.at).toEqual(new Date(GOOD.at));
      await m.ack();
      break;
    }
    expect(broker.messages("log.g.dead")).toHaveLength(1);
    expect(broker.messages("emails.dead")).toHaveLength(1);
  });

  it("gives readers what it made of the bodies, in order, and leaves out what it refuses, which is told", async () => {
    const log = defineStream({ name: "log", schema });
    await mq.stream("log").publishMany([{ to: 1 }, GOOD, { to: 2 }, { ...GOOD, to: "bob" }]);
    await mq.stream("log").publish("{", { type: "text" });
    const refused: [string, number][] = [];
    const reader = mq
      .stream(log)
      .read({ from: "earliest", onInvalid: (error, { offset }) => void refused.push([error.code, offset]) });
    const seen: unknown[] = [];
    for await (const m of reader) if (seen.push([m.offset, m.body.to, m.body.at]) === 2) break;

    const at = new Date(GOOD.at);
    expect(seen).toEqual([
      [1, "ada", at],
      [3, "bob", at],
    ]);
    expect(refused.slice(0, 2)).toEqual([
      ["invalid-message", 0],
      ["invalid-message", 2],
    ]);
  });

  it("may end a reader with the error, and without a word is a warning in the log", async () => {
    const log = defineStream({ name: "log", schema });
    await mq.stream("log").publish({ to: 5 });
    const failing = mq.stream(log).read({
      from: "earliest",
      onInvalid: (error) => {
        throw error;
      },
    });
    await expect(failing.next()).rejects.toBeInstanceOf(InvalidMessage);

    const quiet = mq.stream(log).read({ from: "earliest" });
    const next = quiet.next();
    await mq.stream(log).publish(GOOD);
    expect((await next).value).toMatchObject({ offset: 1, body: { to: "ada" } });
    await quiet.close();
  });

  it("does not stop a reader that finds nothing valid among more than it may hold", async () => {
    const log = defineStream({ name: "log", schema });
    await mq.stream("log").publishMany(Array.from({ length: 6_000 }, (_, to) => ({ to })));
    await mq.stream(log).publish(GOOD);
    let refused = 0;
    const reader = mq.stream(log).read({ from: "earliest", onInvalid: () => void refused++ });

    expect((await reader.next()).value).toMatchObject({ offset: 6_000 });
    expect(refused).toBe(6_000);
    await reader.close();
  });

  it("is applied to a topic's publishes", async () => {
    const sent = defineTopic({ name: "mail.sent", schema });
    expect(await mq.topic(sent).publish(GOOD)).toMatchObject({ routed: 0 });
    await expect(mq.topic(sent).publish({ ...GOOD, at: "" })).rejects.toBeInstanceOf(InvalidMessage);
  });
});

it("send takes a schema that answers at once, and says that it cannot wait for another", async () => {
  expect(mq.queue(defineQueue({ name: "a", schema: mail })).send(GOOD)).toBe(true);
  expect(() => mq.queue(defineQueue({ name: "a", schema: mail })).send({ ...GOOD, at: "x" })).toThrow(InvalidMessage);
  expect(() => mq.queue(defineQueue({ name: "a", schema: slowly(mail) })).send(GOOD)).toThrow(InvalidRequest);
  await mq.flush();
  expect(broker.messages("a")).toHaveLength(1);
});

it("a schema that throws puts the message aside instead of ending the process", async () => {
  const broken: StandardSchema = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: () => {
        throw new Error("broken");
      },
    },
  };
  await mq.queue("q").publish(1);
  mq.queue(defineQueue({ name: "q", schema: broken })).consume(() => {});
  await broker.idle();
  expect(broker.messages("q.dead")).toMatchObject([{ reason: "The schema failed: broken" }]);
});

it("a definition declares with its own settings", async () => {
  const strict = mq.queue(defineQueue({ name: "strict", settings: { attemptsMax: 1, leaseMs: 5_000 } }));
  await strict.declare();
  expect((await strict.details()).settings).toMatchObject({ attemptsMax: 1, leaseMs: 5_000 });
  const log = mq.stream(defineStream({ name: "log", settings: { retentionCount: 7 } }));
  await log.declare();
  expect((await log.stats()).settings).toMatchObject({ retentionCount: 7 });
});

it("names are checked before anything is sent", () => {
  expect(() => mq.queue("A b")).toThrow(InvalidName);
  expect(() => mq.stream("a..b")).toThrow(InvalidName);
  expect(() => mq.topic("a.")).toThrow(InvalidName);
  expect(() => mq.stream("a").group("A")).toThrow(InvalidName);
  expect(() => mq.queue("x".repeat(76))).toThrow(InvalidName);
  expect(mq.topic("x".repeat(200)).name).toHaveLength(200);
});

describe("an idempotent handler", () => {
  it("runs once for a message that comes again, and gives the same outcome", async () => {
    const q = mq.queue<number>("charge");
    let runs = 0;
    const handler = idempotent<number>(memoryStore(), (m) => {
      runs++;
      return m.done({ result: m.body * 2, publish: [{ queue: "charged", body: m.body }] });
    });
    let isFirst = true;
    q.consume(async (m, context) => {
      const outcome = await handler(m, context);
      // As a crash between the work and its ack.
      if (isFirst) {
        isFirst = false;
        await m.nack({ delayMs: 0 });
      }
      return outcome;
    });
    expect(await q.call(21)).toBe(42);
    expect(runs).toBe(1);
    expect(broker.messages("charged")).toHaveLength(1);
  });

  it("runs again after a failure, and by a key of one's own once for two messages", async () => {
    const q = mq.queue<string>("work");
    await q.declare({ backoffMs: 0 });
    const runs: string[] = [];
    q.consume(
      idempotent<string>(
        memoryStore(),
        (m) => {
          runs.push(`${m.body} ${m.attempt}`);
          if (runs.length === 1) throw new Error("once more");
        },
        (m) => m.headers["order"] ?? m.id,
      ),
    );
    await q.publish("a", { headers: { order: "7" } });
    await broker.idle();
    await q.publish("b", { headers: { order: "7" } });
    await broker.idle();
    expect(runs).toEqual(["a 1", "a 2"]);
  });

  it("forgets the oldest beyond the store's size", async () => {
    const store = memoryStore({ max: 2 });
    for (const key of ["a", "b", "c"]) await store.set(key, {});
    expect(await store.get("a")).toBeUndefined();
    expect(await store.get("c")).toEqual({});
  });
});
