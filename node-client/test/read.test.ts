/** Readers over connections that end, pause and change, on the fake gateway. */
import { describe, expect, it } from "vitest";
import { Gone, QueueNotFound } from "../src/index.js";
import { deliverFrame, type FakeMessage, utf8 } from "../src/testing/wire.js";
import { client, deferred, FakeGateway } from "./support.js";

const messages = (first: number, count: number): FakeMessage[] =>
  Array.from({ length: count }, (_, index) => ({
    ...{ id: `1-1-${first + index}`, sequence: first + index, publishedAt: 1, body: utf8(String(first + index)) },
    ...{ type: undefined, headers: undefined, key: undefined, priority: undefined, attempt: 1 },
  }));

/** A gateway whose stream has `size` messages, sent 1,000 a frame to whoever reads. */
function streaming(size: number): FakeGateway {
  const gateway = new FakeGateway();
  gateway.on("read", ({ header }, connection) => {
    const from = header["from"] as { offset?: number } | string;
    const start = typeof from === "object" ? (from.offset ?? 0) : from === "earliest" ? 0 : size;
    queueMicrotask(() => {
      for (let at = start; at < size; at += 1_000)
        connection.send(deliverFrame(Number(header["sub"]), undefined, messages(at, Math.min(1_000, size - at))));
    });
    return { offset: start };
  });
  return gateway;
}

describe("a reader", () => {
  it("leaves the server when its buffer is full, and reads on from the offset when it was taken", async () => {
    const gateway = streaming(20_000);
    const got: number[] = [];
    const reader = client(gateway).stream<number>("s").read({ from: "earliest" });
    await gateway.next("cancel");
    expect(gateway.frames("read")).toHaveLength(1);
    for await (const m of reader) {
      got.push(m.body);
      if (got.length === 20_000) break;
    }
    expect(got).toEqual(Array.from({ length: 20_000 }, (_, n) => n));
    const offsets = gateway.frames("read").map(({ header }) => header["from"]);
    expect(offsets.length).toBeGreaterThan(2);
    expect(offsets[1]).toEqual({ offset: 5_000 });
  });

  it("leaves the server when its buffer has too many bytes", async () => {
    const gateway = new FakeGateway();
    const body = new Uint8Array(1024 * 1024);
    gateway.on("read", ({ header }, connection) => {
      const { offset = 0 } = header["from"] as { offset?: number };
      queueMicrotask(() => {
        for (const message of messages(offset, 20 - offset))
          connection.send(deliverFrame(Number(header["sub"]), undefined, [{ ...message, body, type: "bytes" }]));
      });
      return { offset };
    });
    const reader = client(gateway)
      .stream("s")
      .read({ from: { offset: 0 } });
    await gateway.next("cancel");
    const got: number[] = [];
    for await (const m of reader) if (got.push(m.offset) === 20) break;
    expect(got).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(gateway.frames("read")[1]?.header["from"]).toEqual({ offset: 8 });
  });

  it("that has seen nothing goes on from where the server said it begins", async () => {
    const gateway = streaming(3);
    client(gateway).stream("s").read({ from: "latest" });
    await gateway.next("read");
    await new Promise(setImmediate);
    gateway.drop();
    const again = await gateway.next("read");
    expect(again.header["from"]).toEqual({ offset: 3 });
  });

  it("ends with Gone when the broker is another one, because its offsets mean nothing there", async () => {
    const gateway = streaming(1);
    const reader = client(gateway).stream("s").read({ from: "earliest" });
    expect((await reader.next()).value?.offset).toBe(0);
    const next = reader.next();
    gateway.store = "store-2";
    gateway.drop();
    await expect(next).rejects.toBeInstanceOf(Gone);
    await expect(reader.closed).rejects.toBeInstanceOf(Gone);
    await expect(reader.next()).rejects.toBeInstanceOf(Gone);
  });

  it("hands over what had come before an error, and then the error", async () => {
    const gateway = streaming(2);
    const reader = client(gateway).stream("s").read({ from: "earliest" });
    expect((await reader.next()).value?.offset).toBe(0);
    gateway.send({ op: "end", sub: 1, code: "queue-not-found", message: "deleted", retryable: false });
    await expect(reader.closed).rejects.toBeInstanceOf(QueueNotFound);
    expect((await reader.next()).value?.offset).toBe(1);
    await expect(reader.next()).rejects.toBeInstanceOf(QueueNotFound);
  });

  it("ends its loop when it is closed, when its signal is aborted, and when the client is closed", async () => {
    const gateway = streaming(0);
    const mq = client(gateway);
    const controller = new AbortController();
    const closed = mq.stream("s").read();
    const aborted = mq.stream("s").read({ signal: controller.signal });
    const left = mq.stream("s").read();
    const ends = [closed, aborted, left].map((reader) => reader.next());
    await closed.close();
    controller.abort();
    await mq.close();
    expect(await Promise.all(ends)).toEqual([0, 1, 2].map(() => ({ done: true, value: undefined })));
    await Promise.all([closed.closed, aborted.closed, left.closed]);
    expect((await mq.stream("s").read({ signal: controller.signal }).next()).done).toBe(true);
  });

  it("ends by what its callback throws", async () => {
    const reader = client(streaming(1))
      .stream("s")
      .read({
        from: "earliest",
        onMessages: () => {
          throw new Error("my mistake");
        },
      });
    await expect(reader.closed).rejects.toThrow("my mistake");
  });

  it("tells of a gap before the message after it", async () => {
    const gateway = new FakeGateway();
    const told = deferred<number>();
    gateway.on("read", ({ header }, connection) => {
      queueMicrotask(() => connection.send(deliverFrame(Number(header["sub"]), undefined, messages(9, 2), 9)));
      return { offset: 0 };
    });
    const reader = client(gateway)
      .stream("s")
      .read({ from: { offset: 0 }, onTrimmed: told.resolve });
    expect((await reader.next()).value).toMatchObject({ offset: 9, trimmed: true });
    expect((await reader.next()).value).toMatchObject({ offset: 10, trimmed: false });
    expect(await told.promise).toBe(9);
    expect(reader.trimmed).toBe(9);
  });
});
