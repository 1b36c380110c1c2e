import { expect, it } from "vitest";
import { stats } from "../../testing/stats.js";
import { attention, backlog, byAttention } from "./sort.js";

it.each([
  ["a quiet queue", {}, null],
  ["a busy queue", { ready: 500, leased: 20 }, null],
  ["dead letters", { deadLetterOf: "a", ready: 1, consumers: 0 }, "dead letters wait"],
  ["an empty dead-letter queue", { deadLetterOf: "a", consumers: 0 }, null],
  ["a paused queue", { paused: true }, "paused"],
  ["a backlog without a consumer", { ready: 1, consumers: 0 }, "no consumer"],
  ["keys that wait without a consumer", { parked: 1, consumers: 0 }, "no consumer"],
  ["keys that wait for a consumer at work", { parked: 7, leased: 1 }, null],
  ["a queue of an engine that tells nothing of keys", { parked: null, consumers: 0 }, null],
  ["dead letters that wait for their key", { deadLetterOf: "a", parked: 1, consumers: 0 }, "dead letters wait"],
  ["retries", { retrying: 2, delayed: 2 }, "retrying"],
] as const)("says what is wrong with %s", (_what, more, note) => {
  expect(attention(stats("a", more))).toBe(note);
});

it("puts what needs attention first, the most urgent of it at the top, then the largest backlog, then names", () => {
  const queues = [
    stats("b"),
    stats("a"),
    stats("large", { ready: 900 }),
    stats("halted", { ready: 7, paused: true }),
    stats("alone", { ready: 5_000, consumers: 0 }),
    stats("x.dead", { deadLetterOf: "x", ready: 1 }),
  ];

  expect(byAttention(queues).map((queue) => queue.name)).toEqual(["x.dead", "alone", "halted", "large", "a", "b"]);
});

it("counts what waits for its key among what waits", () => {
  expect(backlog(stats("a", { ready: 1, parked: 20, delayed: 300, retrying: 4_000, leased: 50_000 }))).toBe(54_321);
  expect(backlog(stats("a", { ready: 1, parked: null, delayed: null, retrying: null }))).toBe(1);
  expect(byAttention([stats("a", { ready: 5 }), stats("b", { parked: 6 })]).map((queue) => queue.name)).toEqual([
    "b",
    "a",
  ]);
});
