/** A process that ends in the middle of a handler: its message counts an attempt, what it had only prefetched does not. */
import { beforeEach, describe, expect, it } from "vitest";
import { type Client, type ConsumeOptions, connect, type Message } from "../src/index.js";
import { createTestBroker, type TestBroker } from "../src/testing/index.js";
import type { Transport } from "../src/transport/transport.js";

const QUIET = { debug: () => {}, warn: () => {}, error: () => {} };
const NEVER = new Promise<void>(() => {});

/** A client as the broker sees one whose process may end: from `end` on nothing that it says arrives, and its connection is lost. */
function mortal(broker: TestBroker): { readonly mq: Client; end(): void } {
  let isDead = false;
  let end = (): void => {};
  const transport: Transport = (url, subprotocol, events) => {
    const connection = broker.transport(url, subprotocol, { ...events, closed: () => {} });
    end = () => {
      isDead = true;
      connection.terminate();
    };
    return { ...connection, send: (data) => !isDead && connection.send(data) };
  };
  return { mq: connect("ws://test-broker/ws", { transport, logger: QUIET }), end: () => end() };
}

describe("on the double, when a process ends in the middle of a handler", () => {
  let broker: TestBroker;
  let mq: Client;
  beforeEach(async () => {
    broker = createTestBroker({ now: 1_000_000 });
    mq = broker.connect({ logger: QUIET });
    await mq.queue("q").declare({ attemptsMax: 2, backoffMs: 0 });
    await mq.queue("q").publishMany(["before", "poison", "after", "last"]);
    return () => mq.close({ drain: false });
  });

  /** The bodies and attempts that a process begins whose handler ends it at `poison`, or hangs there. */
  async function life(how: "ends" | "hangs", options: ConsumeOptions = {}): Promise<string[]> {
    const begun: string[] = [];
    const process = mortal(broker);
    let isOver = false;
    const handler = async (m: Message<string>): Promise<void> => {
      if (isOver) return NEVER;
      begun.push(`${m.body} ${m.attempt}`);
      if (m.body !== "poison") return undefined;
      isOver = true;
      if (how === "ends") process.end();
      return NEVER;
    };
    process.mq.queue<string>("q").consume(handler, { prefetch: 10, ...options });
    await broker.advance(1_000);
    return begun;
  }
  const attempts = (): [unknown, number][] => broker.messages("q").map(({ body, attempts }) => [body, attempts]);

  it("its message is tried again, and is dead at last; its neighbours are in their first attempt", async () => {
    expect([await life("ends"), await life("ends")]).toEqual([["before 1", "poison 1"], ["poison 2"]]);
    expect(await life("ends")).toEqual(["after 1", "last 1"]);
    expect(broker.messages("q.dead").map(({ body }) => body)).toEqual(["poison"]);
  });

  it("a lease that ends counts what had begun, and nothing else", async () => {
    expect(await life("hangs")).toEqual(["before 1", "poison 1"]);
    await broker.expireLeases("q");
    expect(attempts()).toEqual([
      ["poison", 1],
      ["after", 0],
      ["last", 0],
    ]);
  });

  it("what ran beside it counts, what nobody had begun does not", async () => {
    await mq.queue("q").publish("fifth");
    expect(await life("ends", { concurrency: 3 })).toEqual(["before 1", "poison 1"]);
    // Quick handlers are told ahead: whether "after" counts is a matter of pace.
    expect(attempts().filter(([body]) => body !== "after")).toEqual([
      ["before", 1],
      ["poison", 1],
      ["last", 0],
      ["fifth", 0],
    ]);
  });
});

describe("what has begun", () => {
  it("is told before the handler runs, and covers only what is quick", async () => {
    const broker = createTestBroker();
    const told: unknown[] = [];
    const seen: [number, unknown][] = [];
    const transport: Transport = (url, subprotocol, events) => {
      const connection = broker.transport(url, subprotocol, events);
      const note = (data: unknown): void => {
        const { begun } = typeof data === "string" ? (JSON.parse(data) as { begun?: unknown }) : {};
        if (begun !== undefined) told.push(begun);
      };
      return { ...connection, send: (data) => [note(data), connection.send(data)] };
    };
    const mq = connect("ws://test-broker/ws", { transport, logger: QUIET });
    await mq.queue("q").publishMany([...Array(100).keys()]);
    mq.queue<number>("q").consume(
      async (m) => {
        seen.push([m.body + 1, told.at(-1)]);
        if (m.body >= 90) await new Promise((resolve) => setTimeout(resolve, 20));
      },
      { prefetch: 100 },
    );
    await broker.idle();
    await mq.close();

    // The first that is held counts without a word.
    expect(seen.every(([number, begun]) => number === 1 || (typeof begun === "number" && begun >= number))).toBe(true);
    expect(seen.filter(([number]) => number > 98)).toEqual([99, 100].map((number) => [number, number]));
    expect(told.length).toBeLessThan(40);
  });
});
