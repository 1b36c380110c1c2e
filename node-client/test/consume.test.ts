import { describe, expect, it, vi } from "vitest";
import {
  AlreadySettled,
  DeadLetter,
  LeaseLost,
  type Message,
  OutcomeUnknown,
  QueueNotFound,
  Retry,
} from "../src/index.js";
import { client, deferred, FakeGateway, reaches } from "./support.js";

/** All parts of one kind that were settled, in order. */
const settled = (gateway: FakeGateway, part: string): unknown[] =>
  gateway.frames("settle").flatMap(({ header }) => (header[part] as unknown[] | undefined) ?? []);

const numbersOf = (ranges: unknown): number[] =>
  (ranges as [number, number][]).flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, n) => first + n),
  );
const lastOf = (ranges: unknown): number | undefined => (ranges as [number, number][] | undefined)?.at(-1)?.[1];

describe("a handler", () => {
  it("gets what was published, as it was", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const q = mq.queue("q");
    const got: Message[] = [];
    const all = deferred();

    await Promise.all([
      q.publish({ to: "ü@b.c" }, { headers: { trace: "t" }, key: "k" }),
      q.publish("text", { type: "text", priority: 4 }),
      q.publish(new Uint8Array([1, 255])),
    ]);
    q.consume((m) => {
      if (got.push(m) === 3) all.resolve();
    });
    await all.promise;

    expect(got.map(({ body }) => (body instanceof Uint8Array ? [...body] : body))).toEqual([
      { to: "ü@b.c" },
      "text",
      [1, 255],
    ]);
    expect(got[0]).toMatchObject({
      id: "1-1-0",
      queue: "q",
      attempt: 1,
      headers: { trace: "t" },
      key: "k",
      priority: 0,
    });
    expect(got[1]).toMatchObject({ type: "text", priority: 4, key: undefined, headers: {} });
  });

  it("acks by returning, in ranges, with few frames for many messages", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publishMany([...Array(1_000).keys()]);

    mq.queue("q").consume(() => {}, { prefetch: 1_000 });
    await gateway.next("settle", ({ header }) => lastOf(header["ack"]) === 1_000);

    expect(numbersOf(settled(gateway, "ack"))).toEqual(Array.from({ length: 1_000 }, (_, n) => n + 1));
    expect(gateway.frames("settle").length).toBeLessThan(100);
    expect(gateway.frames("settle").at(-1)?.header["begun"] ?? 1_000).toBe(1_000);
  });

  it("stores what it returns as the result", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);

    mq.queue("q").consume(async () => ({ messageId: "m" }));
    await gateway.next("settle", ({ header }) => header["done"] !== undefined);

    expect(settled(gateway, "done")).toEqual([{ number: 1, result: { messageId: "m" } }]);
    expect(settled(gateway, "ack")).toEqual([]);
  });

  it("acks, stores and publishes in one record with done", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);

    mq.queue("q").consume(async (m) =>
      m.done({
        result: 5,
        publish: [
          { queue: "next", body: { a: 1 }, delayMs: 9 },
          { queue: "raw", body: new Uint8Array([104, 105]) },
        ],
      }),
    );
    await gateway.next("settle", ({ header }) => header["done"] !== undefined);

    expect(settled(gateway, "done")).toEqual([
      {
        number: 1,
        result: 5,
        publish: [
          { queue: "next", messages: [{ body: { a: 1 }, delay_ms: 9 }] },
          { queue: "raw", messages: [{ body: "aGk=", type: "bytes" }] },
        ],
      },
    ]);
  });

  it("nacks with the reason by throwing, and gets the message again", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);
    const attempts: number[] = [];
    const twice = deferred();

    mq.queue("q").consume((m) => {
      attempts.push(m.attempt);
      if (m.attempt === 1) throw new Error("smtp 421");
      twice.resolve();
    });
    await twice.promise;

    expect(attempts).toEqual([1, 2]);
    expect(settled(gateway, "nack")).toEqual([{ number: 1, reason: "smtp 421" }]);
  });

  it("cuts a long reason between characters, since half of one would cost the whole frame", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);
    const twice = deferred();

    mq.queue("q").consume((m) => {
      if (m.attempt === 1) throw new Error(`${"x".repeat(499)}😀 and more`);
      twice.resolve();
    });
    await twice.promise;

    expect(settled(gateway, "nack")).toEqual([{ number: 1, reason: `${"x".repeat(499)}\ufffd` }]);
  });

  it("says of neighbours that fail alike in one tick that they do, in one entry", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const q = mq.queue("q");
    await Promise.all([1, 2, 3, 4, 5].map((n) => q.publish(n)));
    const all = deferred();

    q.consume(
      async (m) => {
        if (m.body === 5) all.resolve();
        await all.promise;
        if (m.attempt === 1 && m.body !== 4)
          throw new Retry({ delayMs: 5_000, reason: m.body === 5 ? "other" : "busy" });
      },
      { concurrency: 5 },
    );
    await gateway.next("settle", ({ header }) => JSON.stringify(header["nack"] ?? "").includes("other"));

    expect(settled(gateway, "nack")).toEqual([
      { number: 1, last: 3, delay_ms: 5_000, reason: "busy" },
      { number: 5, delay_ms: 5_000, reason: "other" },
    ]);
  });

  it.each<[string, () => unknown, object]>([
    [
      "Retry",
      () => Promise.reject(new Retry({ delayMs: 5_000, reason: "busy" })),
      { number: 1, delay_ms: 5_000, reason: "busy" },
    ],
    [
      "DeadLetter",
      () => Promise.reject(new DeadLetter("no such user")),
      { number: 1, dead: true, reason: "no such user" },
    ],
    ["a string", () => Promise.reject("text"), { number: 1, reason: "text" }],
    ["a long reason", () => Promise.reject(new Error("x".repeat(9_999))), { number: 1, reason: "x".repeat(500) }],
  ])("nacks as it says by throwing %s", async (_name, handler, nack) => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);

    mq.queue("q").consume((m) => (m.attempt === 1 ? handler() : undefined));
    await gateway.next("settle", ({ header }) => header["nack"] !== undefined);

    expect(settled(gateway, "nack")).toEqual([nack]);
  });

  it("is not called for a body that is not JSON, which is nacked", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const handler = vi.fn();
    await mq.queue("q").publish("{", { type: "text" });
    await mq.queue("q").publish(new Uint8Array([1]));

    const consumer = mq.queue("q").consume((m) => {
      if (m.type === "json") handler();
    });
    await consumer.ready();
    // A producer in another language may say json and send something else.
    const frame = new TextEncoder().encode(
      '\0\0\0\0{"op":"deliver","sub":1,"number":90,"runs":[[9,1,"z-",0,1]],"sizes":[1]}{',
    );
    new DataView(frame.buffer).setUint32(0, frame.length - 5);
    gateway.send(frame);
    await gateway.next("settle", ({ header }) => JSON.stringify(header["nack"] ?? "").includes("90"));

    expect(handler).not.toHaveBeenCalled();
    expect(settled(gateway, "nack")).toEqual([{ number: 90, reason: "The body is not JSON." }]);
  });

  it("runs as often at a time as concurrency says, begun in order", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue<number>("q").publishMany([1, 2, 3, 4]);
    const gates = [deferred(), deferred(), deferred(), deferred()];
    const begun: number[] = [];
    const third = deferred();

    mq.queue<number>("q").consume(
      async (m) => {
        begun.push(m.body);
        if (begun.length === 3) third.resolve();
        await gates[m.body - 1]?.promise;
      },
      { concurrency: 2, prefetch: 10 },
    );
    await gateway.next("settle", ({ header }) => header["begun"] === 2);
    expect(begun).toEqual([1, 2]);
    gates[1]?.resolve();
    await third.promise;

    expect(begun).toEqual([1, 2, 3]);
    await gateway.next("settle", ({ header }) => header["begun"] === 3);
  });

  it("shows progress, the latest of a tick", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);

    mq.queue("q").consume(async (m) => {
      void m.progress(10);
      await m.progress(400, "n".repeat(300));
    });
    await gateway.next("settle", ({ header }) => header["progress"] !== undefined);

    expect(settled(gateway, "progress")).toEqual([{ number: 1, percent: 100, note: "n".repeat(200) }]);
  });

  it("sends what handlers say together, with the ack at the latest, and cuts what is too long", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);

    mq.queue("q").consume(async (m) => {
      m.log("begin");
      await Promise.resolve();
      m.log("x".repeat(3_000), { level: "debug" });
      await m.ack();
      m.log("nobody hears this");
    });
    const { header } = await gateway.next("settle", ({ header }) => header["ack"] !== undefined);

    const said = [
      { number: 1, text: "begin", level: "info" },
      { number: 1, text: "x".repeat(2_000), level: "debug" },
    ];
    expect(header["log"]).toEqual(said);
    expect(settled(gateway, "log")).toEqual(said);
  });

  it("sends what a long job says without waiting for its end", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);
    const end = deferred();

    const consumer = mq.queue("q").consume(async (m) => {
      m.log("working");
      await end.promise;
    });
    await gateway.next("settle", ({ header }) => header["log"] !== undefined);

    expect(settled(gateway, "log")).toEqual([{ number: 1, text: "working", level: "info" }]);
    expect(settled(gateway, "ack")).toEqual([]);
    end.resolve();
    await consumer.close();
  });

  it("keeps the newest lines, and no more than a thousand, while there is no connection", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);
    const [begun, go, end] = [deferred(), deferred(), deferred()];
    const consumer = mq.queue("q").consume(async (m) => {
      begun.resolve();
      await go.promise;
      for (let n = 0; n < 1_500; n++) m.log(String(n));
      await end.promise;
    });
    await begun.promise;
    gateway.accepts = false;
    gateway.drop();
    await reaches(mq, "reconnecting");
    go.resolve();
    await new Promise(setImmediate);

    gateway.accepts = true;
    await gateway.next("settle", ({ header }) => header["log"] !== undefined);

    const texts = settled(gateway, "log").map((line) => (line as { text: string }).text);
    expect(texts).toEqual(Array.from({ length: 1_000 }, (_, n) => String(n + 500)));
    end.resolve();
    await consumer.close();
  });

  it("may settle by itself; then what it returns does not count", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);

    mq.queue("q").consume(async (m) => {
      if (m.attempt > 1) return;
      await m.nack({ delayMs: 7, reason: "later" });
      return "ignored";
    });
    await gateway.next("settle", ({ header }) => header["ack"] !== undefined);

    expect(settled(gateway, "nack")).toEqual([{ number: 1, delay_ms: 7, reason: "later" }]);
    expect(settled(gateway, "done")).toEqual([]);
  });

  it("whose result cannot be stored is acked without it, because the work is done", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);
    const failed = deferred<unknown>();

    const consumer = mq.queue("q").consume(() => "x".repeat(70_000));
    consumer.on("error", failed.resolve);
    await gateway.next("settle", ({ header }) => header["ack"] !== undefined);

    expect(await failed.promise).toMatchObject({ code: "invalid-request" });
  });

  it("whose further publishes are refused has its message nacked, and not those of others", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue<number>("q").publishMany([1, 2]);
    gateway.on("settle", ({ header }) => {
      const isChained = JSON.stringify(header["done"] ?? "").includes("publish");
      return isChained ? { op: "error", code: "queue-full", message: "next is full", retryable: true } : undefined;
    });

    mq.queue<number>("q").consume(
      (m) => (m.body === 1 && m.attempt === 1 ? m.done({ publish: [{ queue: "next", body: 1 }] }) : undefined),
      { prefetch: 2 },
    );
    await gateway.next("settle", ({ header }) => header["nack"] !== undefined);

    expect(settled(gateway, "nack")).toEqual([{ number: 1, reason: "next is full" }]);
    expect(settled(gateway, "ack")).toContainEqual([2, 2]);
  });
});

describe("a lease", () => {
  it("is renewed at half its length for everything held, in one frame of ranges", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    try {
      const gateway = new FakeGateway();
      gateway.leaseMs = 10_000;
      const mq = client(gateway);
      await mq.queue("q").publishMany([1, 2, 3]);
      mq.queue("q").consume(() => new Promise(() => {}), { prefetch: 3 });
      await gateway.next("settle", ({ header }) => header["begun"] === 1);

      vi.advanceTimersByTime(4_999);
      expect(settled(gateway, "extend")).toEqual([]);
      vi.advanceTimersByTime(1);
      await gateway.next("settle", ({ header }) => header["extend"] !== undefined);

      expect(settled(gateway, "extend")).toEqual([[1, 3]]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("of another length can be asked for", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);

    mq.queue("q").consume((m) => m.extend(90_000), { leaseMs: 5_000 });
    const { header } = await gateway.next("settle", (frame) => frame.header["extend"] !== undefined);

    expect(header).toMatchObject({ extend: [[1, 1]], lease_ms: 90_000 });
    expect(gateway.frames("consume")[0]?.header["lease_ms"]).toBe(5_000);
  });

  it("that is lost aborts the handler's signal, tells the consumer, and nothing is settled for it", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);
    const aborted = deferred<unknown>();
    const told = deferred<Message>();
    gateway.on("settle", ({ header }) => (header["extend"] === undefined ? undefined : { lost: [[1, 1]] }));

    const consumer = mq.queue("q").consume(
      (m, { signal }) =>
        new Promise((resolve) => {
          signal.addEventListener("abort", () => {
            aborted.resolve(signal.reason);
            resolve("too late");
          });
          void m.extend();
        }),
    );
    consumer.on("leaseLost", told.resolve);

    expect(await aborted.promise).toBeInstanceOf(LeaseLost);
    expect((await told.promise).id).toBe("1-1-0");
    await consumer.close();
    expect(settled(gateway, "done")).toEqual([]);
    expect(settled(gateway, "ack")).toEqual([]);
  });

  it("that an operator revokes aborts the handler's signal with the reason", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);
    const aborted = deferred<Error>();

    mq.queue("q").consume(
      (_m, { signal }) =>
        new Promise(() => signal.addEventListener("abort", () => aborted.resolve(signal.reason as Error))),
    );
    await gateway.next("settle", ({ header }) => header["begun"] === 1);
    gateway.revoke("q", [[1, 1]], "cancelled");

    expect((await aborted.promise).message).toContain("cancelled");
  });
});

describe("a reconnect", () => {
  it("resumes what is held under the same numbers, and the handler goes on", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publishMany([1, 2, 3]);
    const gate = deferred();
    const bodies: unknown[] = [];

    mq.queue("q").consume(
      async (m) => {
        bodies.push(m.body);
        await gate.promise;
      },
      { prefetch: 3 },
    );
    await gateway.next("settle", ({ header }) => header["begun"] === 1);
    gateway.drop();
    await gateway.next("consume");
    const { header } = await gateway.next("consume");
    gate.resolve();
    await gateway.next("settle", (frame) => JSON.stringify(frame.header["ack"] ?? "").includes("3]"));

    expect(header).toMatchObject({ resume: "s1", begun: 1, held: [[1, 3, 10_000]] });
    expect(bodies).toEqual([1, 2, 3]);
    expect(gateway.acked).toHaveLength(3);
  });

  it("aborts what meanwhile went to somebody else", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);
    const aborted = deferred();
    mq.queue("q").consume(
      (_m, { signal }) => new Promise(() => signal.addEventListener("abort", () => aborted.resolve())),
    );
    await gateway.next("settle", ({ header }) => header["begun"] === 1);

    gateway.on("consume", () => ({ subscription: "s9", lease_ms: 1_000, lost: [[1, 1]] }));
    gateway.drop();

    await aborted.promise;
  });

  it("settles again what was settled and not answered", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);
    const end = gateway.on("settle", () => "silence");
    const outcome = deferred<unknown>();
    mq.queue("q").consume(async (m) => {
      await m.ack().then(() => outcome.resolve("acked"), outcome.resolve);
    });
    await gateway.next("settle", ({ header }) => header["ack"] !== undefined);

    end();
    gateway.drop();

    expect(await outcome.promise).toBe("acked");
    expect(gateway.acked).toEqual(["1-1-0"]);
    expect(settled(gateway, "ack")).toEqual([
      [1, 1],
      [1, 1],
    ]);
  });

  it("takes 'settled before' for the confirm of the first time", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);
    gateway.on("settle", () => "silence");
    const outcome = deferred<unknown>();
    mq.queue("q").consume(async (m) => {
      await m.ack().then(() => outcome.resolve("acked"), outcome.resolve);
    });
    await gateway.next("settle", ({ header }) => header["ack"] !== undefined);

    gateway.on("settle", () => ({ settled: [[1, 1]] }));
    gateway.drop();

    expect(await outcome.promise).toBe("acked");
  });

  it("to another store consumes anew and gives up what was held there", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);
    const aborted = deferred();
    mq.queue("q").consume(
      (_m, { signal }) => new Promise(() => signal.addEventListener("abort", () => aborted.resolve())),
    );
    await gateway.next("settle", ({ header }) => header["begun"] === 1);
    await gateway.next("consume");

    gateway.store = "store-2";
    gateway.drop();
    await aborted.promise;

    const { header } = await gateway.next("consume");
    expect(header).not.toHaveProperty("resume");
    expect(header).not.toHaveProperty("held");
  });
});

describe("prefetch", () => {
  it("is twice the concurrency at first, and grows while handlers are quick", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publishMany(Array.from({ length: 500 }, (_, n) => n));

    const all = deferred();
    let count = 0;
    mq.queue("q").consume(
      async () => {
        if (++count === 500) all.resolve();
      },
      { concurrency: 4 },
    );
    await all.promise;

    expect(gateway.frames("consume")[0]?.header["prefetch"]).toBe(8);
    expect(gateway.frames("prefetch")[0]?.header["prefetch"]).toBe(16);
    expect(gateway.frames("prefetch").at(-1)?.header["prefetch"]).toBeGreaterThan(16);
  });

  it("stays where the user put it", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publishMany(Array.from({ length: 100 }, (_, n) => n));

    mq.queue("q").consume(() => {}, { prefetch: 5 });
    while (gateway.acked.length < 100) await gateway.next("settle");

    expect(gateway.frames("consume")[0]?.header["prefetch"]).toBe(5);
    expect(gateway.frames("prefetch")).toEqual([]);
  });
});

describe("closing a consumer", () => {
  it("stops the supply, lets what runs finish, and leaves what was not begun", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publishMany([1, 2, 3]);
    const gate = deferred();
    const bodies: unknown[] = [];
    const consumer = mq.queue("q").consume(
      async (m) => {
        bodies.push(m.body);
        await gate.promise;
      },
      { prefetch: 3 },
    );
    await gateway.next("settle", ({ header }) => header["begun"] === 1);

    const closed = consumer.close();
    await gateway.next("cancel");
    gate.resolve();
    await closed;

    expect(bodies).toEqual([1]);
    expect(gateway.acked).toEqual(["1-1-0"]);
  });

  it("resolves after its last ack is confirmed", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);
    const running = deferred();
    const consumer = mq.queue("q").consume(async () => running.resolve());
    await running.promise;

    await consumer.close();

    expect(gateway.acked).toEqual(["1-1-0"]);
  });

  it("gives up on handlers after its time: signal aborted, message released", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);
    const aborted = deferred();
    const consumer = mq
      .queue("q")
      .consume((_m, { signal }) => new Promise(() => signal.addEventListener("abort", () => aborted.resolve())));
    await gateway.next("settle", ({ header }) => header["begun"] === 1);

    await consumer.close({ timeoutMs: 1 });
    await aborted.promise;

    expect(settled(gateway, "release")).toEqual([[1, 1]]);
  });

  it("happens for all when the client closes", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);
    const begun = deferred();
    const gate = deferred();
    mq.queue("q").consume(async () => {
      begun.resolve();
      await gate.promise;
    });
    await begun.promise;

    const closed = mq.close();
    gate.resolve();
    await closed;

    expect(gateway.acked).toEqual(["1-1-0"]);
  });
});

describe("closing the client without a connection", () => {
  it("ends at once when the server is gone: signals are aborted, promises rejected", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway, { reconnect: { minMs: 60_000, maxMs: 60_000 } });
    await mq.queue("q").publish(1);
    const aborted = deferred();
    mq.queue("q").consume(async (m) => {
      m.signal.addEventListener("abort", () => aborted.resolve());
      await new Promise(() => {});
    });
    await gateway.next("settle", ({ header }) => header["begun"] === 1);
    gateway.accepts = false;
    gateway.drop();
    await reaches(mq, "reconnecting");
    const unconfirmed = mq.queue("q").publish(2);

    await Promise.all([
      mq.close({ timeoutMs: 600_000 }),
      aborted.promise,
      expect(unconfirmed).rejects.toMatchObject({ code: expect.any(String) }),
    ]);

    expect(mq.status).toBe("closed");
  });

  it("ends at once when the server goes while it drains", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway, { reconnect: { minMs: 60_000, maxMs: 60_000 } });
    await mq.queue("q").publish(1);
    mq.queue("q").consume(() => new Promise(() => {}));
    await gateway.next("settle", ({ header }) => header["begun"] === 1);

    const closed = mq.close({ timeoutMs: 600_000 });
    await gateway.next("cancel");
    gateway.accepts = false;
    gateway.drop();
    await closed;

    expect(mq.status).toBe("closed");
  });

  it("still drains when the server is back: one attempt is made at once", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway, { reconnect: { minMs: 60_000, maxMs: 60_000 } });
    await mq.queue("q").publish(1);
    gateway.drop();
    await reaches(mq, "reconnecting");
    const published = mq.queue("q").publish(2);

    await mq.close({ timeoutMs: 600_000 });

    await expect(published).resolves.toMatchObject({ id: expect.any(String) });
  });

  it("waits for the first connection, so that what was published before it is stored", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const published = mq.queue("q").publish(1);

    await mq.close();

    await expect(published).resolves.toMatchObject({ id: "1-1-0" });
  });
});

describe("a refused consumer", () => {
  it("tells it by ready and error, and is over", async () => {
    const gateway = new FakeGateway();
    gateway.on("consume", () => ({ op: "error", code: "queue-not-found", message: "No.", retryable: false }));
    const consumer = client(gateway)
      .queue("q", { declare: false })
      .consume(() => {});
    const ended = deferred<unknown>();
    consumer.on("end", ended.resolve);

    await expect(consumer.ready()).rejects.toBeInstanceOf(QueueNotFound);
    expect(await ended.promise).toBeInstanceOf(QueueNotFound);
    expect(gateway.frames("consume")[0]?.header["declare"]).toBe(false);
  });

  it("by a stopping server is resumed after the reconnect", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);
    const gate = deferred();
    mq.queue("q").consume(() => gate.promise);
    await gateway.next("settle", ({ header }) => header["begun"] === 1);
    await gateway.next("consume");

    gateway.send({ op: "drain", grace_ms: 1 });
    gateway.send({ op: "end", sub: 1, code: "unavailable", message: "Stopping.", retryable: true });
    gateway.drop(1012, "restart");
    const { header } = await gateway.next("consume");
    gate.resolve();
    await gateway.next("settle", (frame) => frame.header["ack"] !== undefined);

    expect(header).toMatchObject({ resume: "s1", begun: 1, held: [[1, 1, 10_000]] });
    expect(gateway.acked).toEqual(["1-1-0"]);
  });

  it("by the server's end frame is over too", async () => {
    const gateway = new FakeGateway();
    const consumer = client(gateway)
      .queue("q")
      .consume(() => {});
    const ended = deferred<unknown>();
    consumer.on("end", ended.resolve);
    await consumer.ready();

    gateway.send({ op: "end", sub: 1, code: "queue-not-found", message: "Deleted." });

    expect(await ended.promise).toBeInstanceOf(QueueNotFound);
  });
});

describe("messages", () => {
  it("come one by one and are settled by hand", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue<number>("q").publishMany([1, 2, 3]);
    const bodies: number[] = [];

    for await (const m of mq.queue<number>("q").messages({ prefetch: 2 })) {
      bodies.push(m.body);
      await m.ack(m.body === 2 ? { result: m.body } : undefined);
      if (m.body === 3) break;
    }

    expect(bodies).toEqual([1, 2, 3]);
    expect(gateway.acked).toHaveLength(3);
    expect(settled(gateway, "done")).toEqual([{ number: 2, result: { result: 2 } }]);
    expect(gateway.frames("cancel")).toHaveLength(1);
  });

  it("reject a settlement that came too late or twice", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publishMany([1, 2, 3]);
    const messages = mq.queue("q").messages();
    const { value: first } = (await messages.next()) as IteratorYieldResult<Message>;
    const { value: second } = (await messages.next()) as IteratorYieldResult<Message>;

    gateway.on("settle", () => ({ lost: [[1, 1]], settled: [[2, 2]] }));

    await expect(first.ack()).rejects.toBeInstanceOf(LeaseLost);
    await expect(second.ack()).rejects.toBeInstanceOf(AlreadySettled);
    await expect(second.ack()).rejects.toMatchObject({ code: "invalid-state" });
  });

  it("end when their signal is aborted", async () => {
    const gateway = new FakeGateway();
    const controller = new AbortController();
    const next = client(gateway).queue("q").messages({ signal: controller.signal }).next();
    await gateway.next("consume");

    controller.abort();

    expect(await next).toEqual({ done: true, value: undefined });
  });

  it("throw if the queue is refused", async () => {
    const gateway = new FakeGateway();
    gateway.on("consume", () => ({ op: "error", code: "not-allowed", message: "No.", retryable: false }));

    await expect(client(gateway).queue("q").messages().next()).rejects.toMatchObject({ code: "not-allowed" });
  });

  it("say that an ack's outcome is unknown if the client ends before the answer", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish(1);
    gateway.on("settle", () => "silence");
    const { value: message } = (await mq.queue("q").messages().next()) as IteratorYieldResult<Message>;
    const acked = message.ack();
    await gateway.next("settle", ({ header }) => header["ack"] !== undefined);

    await mq.close({ drain: false });

    await expect(acked).rejects.toBeInstanceOf(OutcomeUnknown);
    await reaches(mq, "closed");
  });
});
