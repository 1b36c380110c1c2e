import { afterEach, describe, expect, it, vi } from "vitest";
import { createTestBroker } from "../src/testing/index.js";
import { client, FakeGateway } from "./support.js";

/** A gateway whose long operations end when a test says so; returns what ends them. */
function slow(gateway: FakeGateway): (answer: object) => void {
  let end = (_answer: object): void => {};
  gateway.on("operate", ({ header }, connection) => {
    if (header["do"] === "stop") return { stopped: true };
    end = (answer) => connection.send({ op: "ok", id: header["id"], position: 1, ...answer });
    return "silence";
  });
  return (answer) => end(answer);
}

afterEach(() => void vi.useRealTimers());

describe("a long operation", () => {
  it("may take longer than other requests", async () => {
    vi.useFakeTimers();
    const gateway = new FakeGateway();
    const end = slow(gateway);
    const mq = client(gateway, { requestTimeoutMs: 1_000 });
    await mq.ready();

    const purge = mq.queue("q").purge();
    await gateway.next("operate");
    await vi.advanceTimersByTimeAsync(100_000);
    end({ count: 7 });

    expect(await purge).toEqual({ count: 7 });
  });

  it("waits no longer than other requests for a connection", async () => {
    vi.useFakeTimers();
    const gateway = new FakeGateway();
    gateway.accepts = false;
    const mq = client(gateway, { requestTimeoutMs: 1_000 });

    const purge = expect(mq.queue("q").purge()).rejects.toMatchObject({ code: "unavailable" });
    await vi.advanceTimersByTimeAsync(1_000);

    await purge;
  });

  it("is stopped by its signal, and rejects with the signal's reason once it has stopped", async () => {
    const gateway = new FakeGateway();
    const end = slow(gateway);
    const controller = new AbortController();
    const mq = client(gateway);
    const redrive = mq.queue("q.dead").redrive({ limit: 5, signal: controller.signal });
    const { header: asked } = await gateway.next("operate");
    let isOver = false;
    redrive.catch(() => {}).finally(() => (isOver = true));

    controller.abort(new Error("enough"));
    const { header: stop } = await gateway.next("operate");

    expect(asked).toMatchObject({ do: "redrive", queue: "q.dead", limit: 5 });
    expect(stop).toMatchObject({ do: "stop", operation: asked["operation"] });
    expect(isOver).toBe(false);
    end({ count: 2, stopped: true });
    await expect(redrive).rejects.toThrow("enough");
  });

  it("that ended before it could be stopped has its count", async () => {
    const gateway = new FakeGateway();
    const end = slow(gateway);
    const controller = new AbortController();
    const mq = client(gateway);
    const replay = mq.stream("s").replay({ first: 0, last: 9, queue: "q", signal: controller.signal });
    await gateway.next("operate");

    controller.abort();
    await gateway.next("operate");
    end({ count: 10 });

    expect(await replay).toEqual({ count: 10 });
  });

  it("tells its progress, and what it came to", async () => {
    vi.useFakeTimers();
    const gateway = new FakeGateway();
    const end = slow(gateway);
    let done = 0;
    gateway.on("query", () => {
      done += 10;
      return {
        operations: [
          { id: "another", done: 1, total: 2 },
          { ...row, done },
        ],
      };
    });
    const row = { id: "", kind: "purge", queue: "q", total: 100, state: "running", started_at: 1 };
    const mq = client(gateway);
    await mq.ready();
    const told: unknown[] = [];
    const purge = mq.queue("q").purge({ onProgress: (progress) => told.push(progress) });
    row.id = String((await gateway.next("operate")).header["operation"]);

    await vi.advanceTimersByTimeAsync(1_000);
    end({ count: 42 });
    await purge;
    await vi.advanceTimersByTimeAsync(1_000);

    expect(told).toEqual([
      { done: 10, total: 100 },
      { done: 20, total: 100 },
      { done: 42, total: 42 },
    ]);
  });

  it("is listed, and can be stopped by anybody who may", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const row = { id: "o-1", kind: "replay", queue: "q", stream: "s", done: 1, total: null, state: "waiting" };
    gateway.on("query", () => ({ operations: [{ ...row, started_at: 5 }] }));

    expect(await mq.operations()).toEqual([{ ...row, startedAt: 5 }]);
    await mq.stopOperation("o-1");

    expect((await gateway.next("operate")).header).toMatchObject({ do: "stop", operation: "o-1" });
  });

  it("has ended before anything else in the test broker", async () => {
    await using mq = createTestBroker().connect();
    const queue = mq.queue<number>("q");
    await queue.publish(1);
    const told: unknown[] = [];

    expect(await queue.purge({ onProgress: (progress) => told.push(progress) })).toEqual({ count: 1 });

    expect(told).toEqual([{ done: 1, total: 1 }]);
    expect(await mq.operations()).toEqual([]);
    await expect(mq.stopOperation("o-1")).rejects.toMatchObject({ code: "invalid-state" });
    await expect(queue.purge({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
  });
});
