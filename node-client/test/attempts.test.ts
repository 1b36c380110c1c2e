/** A process that ends in the middle of a handler: its message counts an attempt, what it had only prefetched does not. */
import { beforeEach, describe, expect, it } from "vitest";
import { type Client, connect } from "../src/index.js";
import { createTestBroker, type TestBroker } from "../src/testing/index.js";
import type { Transport } from "../src/transport/transport.js";

const QUIET = { debug: () => {}, warn: () => {}, error: () => {} };

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

  /** The bodies and attempts that a process begins whose handler ends it at `poison`. */
  async function life(): Promise<string[]> {
    const begun: string[] = [];
    const process = mortal(broker);
    let isOver = false;
    process.mq.queue<string>("q").consume(
      async (m) => {
        if (isOver) return new Promise(() => {});
        begun.push(`${m.body} ${m.attempt}`);
        if (m.body !== "poison") return undefined;
        isOver = true;
        process.end();
        return new Promise(() => {});
      },
      { prefetch: 10 },
    );
    await broker.advance(1_000);
    return begun;
  }

  it.fails("its message is tried again, and is dead at last; its neighbours are in their first attempt", async () => {
    expect([await life(), await life()]).toEqual([["before 1", "poison 1"], ["poison 2"]]);
    expect(await life()).toEqual(["after 1", "last 1"]);
    expect(broker.messages("q.dead").map(({ body }) => body)).toEqual(["poison"]);
  });
});
