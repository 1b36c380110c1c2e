import { describe, expect, it } from "vitest";
import { client, deferred, FakeGateway, reaches } from "./support.js";

/** A small generator (mulberry32), so that a failing run can be run again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("through many lost connections", () => {
  it.each([1, 2, 3, 4, 5])("every message is stored once and handled once (seed %i)", async (seed) => {
    const next = random(seed);
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.ready();
    const q = mq.queue<number>("q");
    const count = 400;
    const handled: number[] = [];
    const all = deferred();
    const consumer = q.consume(
      async (m) => {
        for (let wait = Math.floor(next() * 4); wait > 0; wait--) await tick();
        if (handled.push(m.body) === count) all.resolve();
      },
      { concurrency: 7 },
    );
    const lost: number[] = [];
    consumer.on("leaseLost", (m) => lost.push(m.body as number));

    const receipts: Promise<{ readonly id: string }>[] = [];
    for (let n = 0; n < count; n++) {
      receipts.push(q.publish(n));
      if (next() < 0.2) await tick();
      if (next() > 0.1) continue;
      gateway.drop();
      await reaches(mq, "reconnecting");
      for (let offline = Math.floor(next() * 4); offline > 0 && n + 1 < count; offline--) receipts.push(q.publish(++n));
      await mq.ready();
    }
    const ids = (await Promise.all(receipts)).map(({ id }) => id);
    await all.promise;
    await consumer.close();

    expect(gateway.connected).toBeGreaterThan(10);
    expect(new Set(ids).size).toBe(count);
    expect(handled.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, n) => n));
    expect(gateway.acked.length).toBe(count);
    expect(lost).toEqual([]);
  });
});
