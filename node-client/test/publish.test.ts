import { describe, expect, it } from "vitest";
import {
  Conflict,
  capability,
  InvalidName,
  InvalidRequest,
  InvalidState,
  LimitExceeded,
  OutcomeUnknown,
  QueueFull,
} from "../src/index.js";
import { textOf } from "../src/testing/index.js";
import { client, FakeGateway, reaches } from "./support.js";

const sent = (gateway: FakeGateway): unknown[] => gateway.frames("publish").map(({ header }) => header["frame"]);

describe("publish", () => {
  it("resolves with id and watch capability from the confirm", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);

    const receipt = await mq.queue("emails").publish({ to: "a@b.c" });

    expect(receipt).toMatchObject({ id: "1-1-0", duplicate: false, position: 1 });
    expect(receipt.watch).toBe(capability("key-1", 0));
    expect(JSON.parse(JSON.stringify(receipt))).toEqual({ id: "1-1-0", watch: receipt.watch, duplicate: false });
  });

  it("puts what is published to a queue in one tick into one numbered frame", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const q = mq.queue("q");

    const receipts = await Promise.all([
      q.publish({ n: 1 }),
      q.publish("two"),
      q.publish(null),
      mq.queue("other").publish(4),
    ]);

    expect(receipts.map(({ id }) => id)).toEqual(["1-1-0", "1-1-1", "1-1-2", "1-2-0"]);
    const [first, second] = gateway.frames("publish");
    expect(first?.header).toMatchObject({ queue: "q", frame: 1, sizes: [7, 5, 4] });
    expect(first?.bodies.map(textOf)).toEqual(['{"n":1}', '"two"', "null"]);
    expect(second?.header).toMatchObject({ queue: "other", frame: 2 });
  });

  it("puts messages of one priority in a frame, in order, and those without one with priority 0", async () => {
    const gateway = new FakeGateway();
    const q = client(gateway).queue("q");

    const receipts = await Promise.all([
      ...[q.publish(1), q.publish(2, { priority: 9 }), q.publish(3, { priority: 0 })],
      ...[q.publish(4, { priority: 5 }), q.publish(5, { priority: 9 }), q.publish(6)],
    ]);

    const frames = gateway.frames("publish").map(({ header, bodies }) => {
      const { priority, priorities } = header;
      return [bodies.map(textOf).join(" "), priority ?? 0, priorities?.toString()];
    });
    expect(frames).toEqual([
      ["1 3 6", 0, ",0,"],
      ["2 5", 9, undefined],
      ["4", 5, undefined],
    ]);
    expect(receipts.map(({ id }) => id)).toEqual(["1-1-0", "1-2-0", "1-1-1", "1-3-0", "1-2-1", "1-1-2"]);
  });

  it("counts sizes in bytes, not in characters", async () => {
    const gateway = new FakeGateway();
    const q = client(gateway).queue("q");

    await Promise.all([q.publish("é"), q.publish("a"), q.publish("😀")]);

    const { header, bodies } = await gateway.next("publish");
    expect(header["sizes"]).toEqual([4, 3, 6]);
    expect(bodies.map(textOf)).toEqual(['"é"', '"a"', '"😀"']);
  });

  it("does not join halves of characters of neighbouring texts", async () => {
    const gateway = new FakeGateway();
    const q = client(gateway).queue("q");

    await Promise.all([q.publish("\ud83d", { type: "text" }), q.publish("\ude00", { type: "text" })]);

    const { bodies } = await gateway.next("publish");
    expect(bodies.map(textOf)).toEqual(["\ufffd", "\ufffd"]);
  });

  it("sends attributes as scalars or columns under their names on the wire", async () => {
    const gateway = new FakeGateway();
    const q = client(gateway).queue("q");

    await Promise.all([
      q.publish(1, { headers: { trace: "t" }, delayMs: 5, dedupKey: "d", expireMs: 9, priority: 3 }),
      q.publish("x", { type: "text", delayMs: 5, priority: 3 }),
    ]);

    const { header } = await gateway.next("publish");
    expect(header).toMatchObject({
      headers: [{ trace: "t" }, null],
      delay_ms: 5,
      dedup_keys: ["d", null],
      expires_ms: [9, null],
      priority: 3,
      types: ["json", "text"],
    });
  });

  it("sends bytes as they are, even if the array is used again", async () => {
    const gateway = new FakeGateway();
    const q = client(gateway).queue<Uint8Array>("q");
    const body = new Uint8Array([0, 255, 1]);

    const published = q.publish(body);
    body.fill(7);
    await published;

    const { header, bodies } = await gateway.next("publish");
    expect(header["type"]).toBe("bytes");
    expect([...(bodies[0] ?? [])]).toEqual([0, 255, 1]);
  });

  it("asks not to declare the queue where that is switched off", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);

    await mq.queue("q", { declare: false }).publish(1);

    expect((await gateway.next("publish")).header["declare"]).toBe(false);
  });

  it("closes a frame before it grows large", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);

    await mq.queue("q").publishMany(Array.from({ length: 40 }, () => "x".repeat(10_000)));

    for (const { bodies } of gateway.frames("publish")) expect(bodies.length).toBeLessThanOrEqual(10);
    expect(gateway.frames("publish").flatMap(({ bodies }) => bodies)).toHaveLength(40);
  });

  it("tells duplicates by the id of the first, without a capability", async () => {
    const gateway = new FakeGateway();
    gateway.on("publish", () => ({ count: 2, id_prefix: "p-", watch_key: "k", duplicates: { "1": "3-s9-0" } }));
    const q = client(gateway).queue("q");

    const [first, second] = await Promise.all([q.publish(1, { dedupKey: "a" }), q.publish(1, { dedupKey: "b" })]);

    expect(first).toMatchObject({ id: "p-0", duplicate: false });
    expect(second).toMatchObject({ id: "3-s9-0", duplicate: true, watch: undefined });
  });

  it("rejects all of a refused frame with the error", async () => {
    const gateway = new FakeGateway();
    gateway.on("publish", () => ({ op: "error", code: "queue-full", message: "Full.", retryable: true }));
    const q = client(gateway).queue("q");

    const outcomes = await Promise.allSettled([q.publish(1), q.publish(2)]);

    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ status: "rejected", reason: expect.any(QueueFull) });
    expect(gateway.frames("publish")).toHaveLength(1);
  });

  it("lets a conflicting dedup key fail only its own message", async () => {
    const gateway = new FakeGateway();
    gateway.on("publish", ({ header }) => {
      const keys = [header["dedup_key"], ...((header["dedup_keys"] ?? []) as unknown[])];
      return keys.includes("used")
        ? { op: "error", code: "conflict", message: "Used.", retryable: false, message_id: "m" }
        : undefined;
    });
    const q = client(gateway).queue("q");

    const outcomes = await Promise.allSettled([
      q.publish(1, { dedupKey: "a" }),
      q.publish(2, { dedupKey: "used" }),
      q.publish(3),
    ]);

    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(outcomes[1]).toMatchObject({ reason: expect.any(Conflict) });
    expect(sent(gateway)).toEqual([1, 2, 3, 4]);
  });

  it.each([
    [{ priority: 10 }, InvalidRequest],
    [{ delayMs: -1 }, InvalidRequest],
    [{ dedupKey: "" }, InvalidRequest],
    [{ key: "x".repeat(129) }, InvalidRequest],
    [{ key: "\ud800" }, InvalidRequest],
    [{ dedupKey: "a\udc00" }, InvalidRequest],
    [{ headers: { a: "\ud83d" } }, InvalidRequest],
    [{ headers: { "\ud83d": "a" } }, InvalidRequest],
    [{ key: "x", priority: 1 }, InvalidRequest],
    [{ headers: { a: 1 as unknown as string } }, InvalidRequest],
    [{ headers: { a: "x".repeat(16_385) } }, LimitExceeded],
  ])("refuses %j by itself, so that neighbours are not refused with it", async (options, error) => {
    const gateway = new FakeGateway();
    const q = client(gateway).queue("q");

    const [bad, good] = await Promise.allSettled([q.publish(1, options), q.publish(2)]);

    expect(bad).toMatchObject({ status: "rejected", reason: expect.any(error) });
    expect(good.status).toBe("fulfilled");
  });

  it.each([undefined, () => {}, 1n])("refuses the body %s, which is not JSON", async (body) => {
    const q = client(new FakeGateway()).queue("q");

    await expect(q.publish(body)).rejects.toBeInstanceOf(InvalidRequest);
  });

  it("refuses a body over the limit, by bytes", async () => {
    const gateway = new FakeGateway();
    gateway.limits["body_bytes_max"] = 10;
    const mq = client(gateway);
    await mq.ready();

    await expect(mq.queue("q").publish("é".repeat(5))).rejects.toMatchObject({
      code: "limit-exceeded",
      details: { limit: "body_bytes_max", value: 10 },
    });
    await expect(mq.queue("q").publish("éé")).resolves.toBeDefined();
  });

  it("refuses names that break the rules", () => {
    expect(() => client(new FakeGateway()).queue("Not A Name")).toThrow(InvalidName);
  });

  it("stops waiting when aborted", async () => {
    const gateway = new FakeGateway();
    gateway.on("publish", () => "silence");
    const mq = client(gateway);
    const controller = new AbortController();
    const published = mq.queue("q").publish(1, { signal: controller.signal });
    await gateway.next("publish");

    controller.abort();

    await expect(published).rejects.toMatchObject({ name: "AbortError" });
    await expect(mq.queue("q").publish(1, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: "AbortError",
    });
    expect(gateway.frames("publish")).toHaveLength(1);
  });
});

describe("send", () => {
  it("is confirmed in bulk by flush", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);

    for (let n = 0; n < 100; n++) expect(mq.queue("q").send(n)).toBe(true);
    await mq.flush();

    expect(gateway.frames("publish").flatMap(({ bodies }) => bodies.map(textOf))).toEqual(
      Array.from({ length: 100 }, (_, n) => String(n)),
    );
  });

  it("lets flush throw the first failure, once", async () => {
    const gateway = new FakeGateway();
    const end = gateway.on("publish", () => ({ op: "error", code: "queue-full", message: "Full.", retryable: true }));
    const mq = client(gateway);
    mq.queue("q").send(1);

    await expect(mq.flush()).rejects.toBeInstanceOf(QueueFull);
    end();
    mq.queue("q").send(2);
    await expect(mq.flush()).resolves.toBeUndefined();
  });

  it("says to wait sooner where each message has a promise, which are dear in great numbers", async () => {
    const gateway = new FakeGateway();
    gateway.accepts = false;
    const mq = client(gateway);
    const q = mq.queue("q");
    for (let n = 0; n < 20_000; n++) q.send(n);
    expect(mq.isWritable).toBe(true);

    const receipts = Array.from({ length: 10_000 }, (_, n) => q.publish(n));
    expect(mq.isWritable).toBe(false);
    gateway.accepts = true;
    await mq.writable();

    expect((await Promise.all(receipts)).at(-1)?.duplicate).toBe(false);
  });

  it("says when to wait, and writable resolves when there is room", async () => {
    const gateway = new FakeGateway();
    gateway.accepts = false;
    const mq = client(gateway, { offlineBytesMax: 1_000 });

    expect(mq.queue("q").send("x".repeat(400))).toBe(true);
    expect(mq.queue("q").send("x".repeat(400))).toBe(false);
    gateway.accepts = true;
    await mq.writable();

    expect(mq.isWritable).toBe(true);
  });

  it("lets a full window empty by half before it asks for more, so that frames stay whole", async () => {
    const gateway = new FakeGateway();
    gateway.on("publish", () => "silence");
    const mq = client(gateway, { offlineBytesMax: 2_000 });
    const confirm = async (): Promise<void> => {
      const { header } = await gateway.next("publish");
      gateway.send({ op: "ok", id: header["id"], position: 1, count: 1, id_prefix: "1-1-", watch_key: "k" });
      await new Promise(setImmediate);
    };
    const publish = async (n: number): Promise<boolean> => {
      const more = mq.queue(`q-${n}`).send("x".repeat(298));
      await new Promise(setImmediate);
      return more;
    };

    expect([await publish(1), await publish(2), await publish(3), await publish(4)]).toEqual([true, true, true, false]);
    let isWritable = false;
    const writable = mq.writable().then(() => {
      isWritable = true;
    });
    await confirm();
    await confirm();
    expect([mq.isWritable, isWritable]).toEqual([true, false]);
    await confirm();

    await writable;
  });

  it("throws LimitExceeded when the buffer is full, and loses nothing of what it took", async () => {
    const gateway = new FakeGateway();
    gateway.accepts = false;
    const mq = client(gateway, { offlineBytesMax: 1_000 });
    mq.queue("q").send("x".repeat(900));

    expect(() => mq.queue("q").send("x".repeat(200))).toThrow(LimitExceeded);
    await expect(mq.queue("q").publish("x".repeat(200))).rejects.toMatchObject({
      code: "limit-exceeded",
      details: { limit: "offline_bytes_max" },
    });
    gateway.accepts = true;
    await mq.flush();

    expect(gateway.frames("publish")).toHaveLength(1);
  });

  it("publishes more than the buffer holds with publishMany", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway, { offlineBytesMax: 20_000 });

    const receipts = await mq.queue("q").publishMany(Array.from({ length: 5_000 }, () => "x".repeat(20)));

    expect(new Set(receipts.map(({ id }) => id)).size).toBe(5_000);
  });
});

describe("a reconnect", () => {
  it("sends unconfirmed frames again, unchanged and in order, before new ones", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const q = mq.queue("q");
    await q.publish("confirmed");
    const end = gateway.on("publish", () => "silence");
    const second = q.publish("second");
    await gateway.next("publish", ({ header }) => header["frame"] === 2);
    const third = q.publish("third");
    await gateway.next("publish", ({ header }) => header["frame"] === 3);

    end();
    gateway.drop();
    const fourth = q.publish("fourth");
    await Promise.all([second, third, fourth]);

    expect(sent(gateway)).toEqual([1, 2, 3, 2, 3, 4]);
    const [, first, , again] = gateway.frames("publish");
    expect(again).toEqual(first);
  });

  it("stores nothing twice if only the confirm was lost", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const q = mq.queue("q");
    await mq.ready();
    const drop = gateway.on("publish", () => {
      // The broker stores the frame; the answer is what gets lost.
      queueMicrotask(() => gateway.drop());
      drop();
      return undefined;
    });
    const got: unknown[] = [];

    await q.publish("once");
    await q.publish("after");
    q.consume((m) => void got.push(m.body));
    await gateway.next("settle");

    expect(new Set(got)).toEqual(new Set(["once", "after"]));
    expect(got).toHaveLength(2);
  });

  it("keeps what was published while there was no connection", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.ready();
    gateway.accepts = false;
    gateway.drop();
    await reaches(mq, "reconnecting");

    const published = mq.queue("q").publish("offline");
    gateway.accepts = true;

    await expect(published).resolves.toMatchObject({ id: "1-1-0" });
  });

  it("to another store makes sent frames outcome-unknown, sends unsent ones, and begins a new session", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway, { session: "first" });
    const end = gateway.on("publish", () => "silence");
    const unknown = mq.queue("q").publish("sent");
    unknown.catch(() => {});
    await gateway.next("publish");
    gateway.accepts = false;
    gateway.drop();
    await reaches(mq, "reconnecting");
    const unsent = mq.queue("q").publish("unsent");

    end();
    gateway.store = "store-2";
    gateway.accepts = true;

    await expect(unknown).rejects.toBeInstanceOf(OutcomeUnknown);
    await expect(unsent).resolves.toBeDefined();
    const last = gateway.frames("publish").at(-1);
    expect(last?.header["frame"]).toBe(1);
    expect(last?.bodies.map(textOf)).toEqual(['"unsent"']);
    expect(gateway.frames("hello").at(-1)?.header["session"]).not.toBe("first");
  });

  it("after the session was forgotten does not send confirmed-or-not frames again", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.queue("q").publish("confirmed");
    gateway.on("publish", () => "silence");
    const unknown = mq.queue("q").publish("sent");
    unknown.catch(() => {});
    await gateway.next("publish", ({ header }) => header["frame"] === 2);
    gateway.on("hello", () => ({ op: "welcome", store: "store-1", session: { id: "x", last_frame: 0 } }));

    gateway.drop();

    await expect(unknown).rejects.toMatchObject({ code: "outcome-unknown" });
    expect(sent(gateway)).toEqual([1, 2]);
  });

  it("goes on above the last number of a session given by the user", async () => {
    const gateway = new FakeGateway();
    gateway.on("hello", () => ({ op: "welcome", store: "s", session: { id: "mine", last_frame: 41 } }));
    const mq = client(gateway, { session: "mine" });

    await mq.queue("q").publish(1);

    expect(sent(gateway)).toEqual([42]);
  });

  it("after a drain sends what the stopping server refused to its successor", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.ready();
    const end = gateway.on("publish", () => {
      gateway.send({ op: "drain", grace_ms: 1 });
      return { op: "error", code: "unavailable", message: "Stopping.", retryable: true };
    });
    const published = mq.queue("q").publish(1);
    await reaches(mq, "draining");
    end();

    gateway.drop(1012, "restart");

    await expect(published).resolves.toBeDefined();
    expect(sent(gateway)).toEqual([1, 1]);
  });
});

describe("close", () => {
  it("waits for confirms", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.ready();
    const published = mq.queue("q").publish(1);

    await mq.close();

    await expect(published).resolves.toMatchObject({ id: "1-1-0" });
    expect(mq.status).toBe("closed");
    await expect(mq.queue("q").publish(2)).rejects.toBeInstanceOf(InvalidState);
  });

  it("without drain leaves what was sent as outcome-unknown", async () => {
    const gateway = new FakeGateway();
    gateway.on("publish", () => "silence");
    const mq = client(gateway);
    const published = mq.queue("q").publish(1);
    published.catch(() => {});
    await gateway.next("publish");

    await mq.close({ drain: false });

    await expect(published).rejects.toBeInstanceOf(OutcomeUnknown);
  });
});
