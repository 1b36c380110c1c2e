import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { QueueEvent } from "../src/index.js";
import { client, deferred, FakeGateway, reaches } from "./support.js";

const event = (position: number): Record<string, unknown> => ({
  position,
  at: position,
  kind: "published",
  queue: "q",
  count: 1,
});
const positions = (events: readonly QueueEvent[]): number[] => events.map(({ position }) => position);

describe("watching a queue", () => {
  it("gives state and every event, in camelCase", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const state = deferred<number | undefined>();
    const events = deferred<number[]>();

    mq.watchQueue("q", {
      last: 10,
      onState: (view) => view.stats?.ratePublished === 5 && state.resolve(view.deliveries.length),
      onEvents: (got) => events.resolve(positions(got)),
    });
    const { header } = await gateway.next("watch");
    gateway.notify("event", { events: [event(1), event(2)] });
    gateway.notify("state", {
      queue: { ...gateway.stats("q"), rate_published: 5 },
      deliveries: [{ id: "x", consumer: "c", attempt: 1, at: 1 }],
    });

    expect(header).toMatchObject({ queue: "q", last: 10 });
    expect(await events.promise).toEqual([1, 2]);
    expect(await state.promise).toBe(1);
  });

  it("shares one watch among many, and gives the later ones the past they ask for", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const first: number[] = [];
    const got = deferred();
    mq.watchQueue("q", {
      last: 10,
      onEvents: (events) => {
        first.push(...positions(events));
        got.resolve();
      },
    });
    await gateway.next("watch");
    gateway.notify("event", { events: [event(1), event(2), event(3)] });
    await got.promise;

    const second = deferred<number[]>();
    mq.watchQueue("q", { last: 2, onEvents: (events) => second.resolve(positions(events)) });

    expect(await second.promise).toEqual([2, 3]);
    expect(first).toEqual([1, 2, 3]);
    expect(gateway.frames("watch")).toHaveLength(1);
  });

  it("asks anew for more of the past, without repeating an event to anyone", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const first: number[] = [];
    const seen = deferred();
    mq.watchQueue("q", {
      last: 1,
      onEvents: (events) => {
        first.push(...positions(events));
        seen.resolve();
      },
    });
    await gateway.next("watch");
    gateway.notify("event", { events: [event(3)] });
    await seen.promise;

    const second = deferred<number[]>();
    mq.watchQueue("q", { last: 50, onEvents: (events) => second.resolve(positions(events)) });
    const { header } = await gateway.next("watch");
    gateway.notify("event", { events: [event(1), event(2), event(3)] });

    expect(header["last"]).toBe(50);
    expect(await second.promise).toEqual([1, 2, 3]);
    expect(first).toEqual([3]);
    expect(gateway.frames("unwatch")).toHaveLength(1);
  });

  it("resumes after the last event it saw, and passes on what was skipped and trimmed", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    let arrived = deferred();
    const gaps: unknown[] = [];
    const all: number[] = [];
    mq.watchQueue("q", {
      last: 5,
      onEvents: (events, gap) => {
        all.push(...positions(events));
        gaps.push(gap);
        arrived.resolve();
      },
    });
    await gateway.next("watch");
    gateway.notify("event", { events: [event(7)] });
    await arrived.promise;

    gateway.drop();
    const { header } = await gateway.next("watch");
    arrived = deferred();
    gateway.notify("event", { events: [event(20)], trimmed: 15, skipped: 3 });
    await arrived.promise;

    expect(header).toMatchObject({ queue: "q", from: 7 });
    expect(header).not.toHaveProperty("last");
    expect(all).toEqual([7, 20]);
    expect(gaps[1]).toEqual({ skipped: 3, trimmed: 15 });
  });

  it("begins anew at another store", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const arrived = deferred();
    mq.watchQueue(null, { last: 5, onEvents: () => arrived.resolve() });
    await gateway.next("watch");
    gateway.notify("event", { events: [event(7)] });
    await arrived.promise;

    gateway.store = "store-2";
    gateway.drop();
    const { header } = await gateway.next("watch");

    expect(header).toMatchObject({ last: 5 });
    expect(header).not.toHaveProperty("from");
    expect(header).not.toHaveProperty("queue");
  });

  it("begins after a given position", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);

    mq.watchQueue("q", { from: 30, onEvents: () => {} });

    expect((await gateway.next("watch")).header).toMatchObject({ from: 30 });
  });

  it("is stale while there is no connection, and keeps what it knew", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const source = mq.live.queue("q");
    const live = deferred();
    source.state.subscribe(() => source.state.get().status === "live" && live.resolve());
    await live.promise;

    gateway.accepts = false;
    gateway.drop();
    await reaches(mq, "reconnecting");

    expect(source.state.get()).toMatchObject({ status: "stale", stats: { name: "q" } });
  });
});

describe("a watch that nobody uses", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
  afterEach(() => void vi.useRealTimers());

  it("ends after a second, and not if somebody comes back before", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const leave = mq.live.queue("q").state.subscribe(() => {});
    await gateway.next("watch");

    leave();
    vi.advanceTimersByTime(999);
    const again = mq.live.queue("q").state.subscribe(() => {});
    vi.advanceTimersByTime(5_000);
    expect(gateway.frames("unwatch")).toHaveLength(0);
    again();
    vi.advanceTimersByTime(1_000);
    await gateway.next("unwatch");

    expect(gateway.frames("watch")).toHaveLength(1);
  });

  it("that was refused because the queue is not there is tried again", async () => {
    const gateway = new FakeGateway();
    const end = gateway.on("watch", () => ({ op: "error", code: "queue-not-found", message: "No.", retryable: false }));
    const mq = client(gateway);
    const source = mq.live.queue("q");
    const failed = deferred();
    source.state.subscribe(() => source.state.get().status === "error" && failed.resolve());
    await failed.promise;
    await gateway.next("watch");

    end();
    vi.advanceTimersByTime(2_000);
    await gateway.next("watch");
    await mq.queues();

    expect(source.state.get()).toMatchObject({ status: "live", error: undefined });
  });
});

describe("watching a message", () => {
  it("gives each state whole, by the capability, and again after a reconnect", async () => {
    const gateway = new FakeGateway();
    gateway.on("watch", () => ({ message: { id: "m", state: "queued", attempts: 0, timeline: [] } }));
    const mq = client(gateway);
    const states: (string | undefined)[] = [];
    const done = deferred();
    mq.watchMessage("m", {
      watch: "cap",
      onState: ({ status, message }) => {
        states.push(`${status} ${message?.state}`);
        if (message?.state === "done") done.resolve();
      },
    });
    const { header } = await gateway.next("watch");

    gateway.send({ op: "state", sub: 1, message: { id: "m", state: "delivered", attempts: 0, timeline: [] } });
    await mq.queues();
    gateway.drop();
    await gateway.next("watch");
    gateway.send({
      op: "state",
      sub: 2,
      message: { id: "m", state: "done", attempts: 1, timeline: [], result: { a_b: 1 } },
    });
    await done.promise;

    expect(header).toMatchObject({ message: "m", capability: "cap" });
    expect(states).toEqual(["live queued", "live delivered", "stale delivered", "live queued", "live done"]);
    expect(mq.live.message("m", "cap").get().message?.result).toEqual({ a_b: 1 });
  });

  it("tells why it cannot be watched", async () => {
    const gateway = new FakeGateway();
    gateway.on("watch", () => ({ op: "error", code: "not-allowed", message: "No.", retryable: false }));
    const failed = deferred<string | undefined>();

    client(gateway).watchMessage("m", { onState: ({ error }) => failed.resolve(error?.code) });

    expect(await failed.promise).toBe("not-allowed");
  });
});

describe("snapshots", () => {
  it("are the same object until something changes, and cannot be changed", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const source = mq.live.queue("q");
    const before = source.state.get();
    expect(source.state.get()).toBe(before);
    expect(Object.isFrozen(before)).toBe(true);
    const changed = deferred();
    source.state.subscribe(() => changed.resolve());
    await changed.promise;

    expect(source.state.get()).not.toBe(before);
  });
});

describe("watching all queues", () => {
  it("keeps the queues that a later state does not name, and lets deleted ones go", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const names: string[][] = [];
    const seen = deferred();
    mq.watchQueue(null, {
      onState: (view) => {
        names.push(view.queues.map(({ name, ready }) => `${name}:${ready}`));
        if (names.at(-1)?.join() === "a:1,c:0") seen.resolve();
      },
    });
    await gateway.next("watch");
    gateway.notify("state", { queues: [gateway.stats("b"), { ...gateway.stats("a"), ready: 1 }] });
    gateway.notify("state", { queues: [gateway.stats("c")] });
    gateway.notify("event", { events: [{ ...event(9), kind: "deleted", queue: "b" }] });

    await seen.promise;
    expect(names).toContainEqual(["a:1", "b:0", "c:0"]);
  });
});
