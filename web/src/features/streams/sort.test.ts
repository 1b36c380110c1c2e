import { expect, it } from "vitest";
import { groupStats, streamStats } from "../../testing/stats.js";
import { byLag, byLargestLag, groupAttention, largestLag } from "./sort.js";

it("puts the group that is furthest behind first", () => {
  const groups = [groupStats("s/b"), groupStats("s/a"), groupStats("s/slow", { lag: 40 })];

  expect(byLag(groups).map((group) => group.name)).toEqual(["s/slow", "s/a", "s/b"]);
});

it("puts streams with the largest lag first and those without groups last", () => {
  const slow = streamStats("slow", { groups: [groupStats("slow/a", { lag: 9 }), groupStats("slow/b", { lag: 90 })] });
  const quick = streamStats("quick", { groups: [groupStats("quick/a")] });
  const alone = streamStats("alone");

  expect(byLargestLag([alone, quick, slow]).map((stream) => stream.name)).toEqual(["slow", "quick", "alone"]);
  expect(largestLag(alone)).toBeNull();
});

it.each([
  ["one that keeps up", {}, null],
  ["one that is behind with nobody working on it", { lag: 1, consumers: 0 }, "no consumer"],
  ["one that is done with nobody there", { consumers: 0 }, null],
  ["a paused one", { paused: true, lag: 1, consumers: 0 }, "paused"],
] as const)("says what is wrong with %s", (_what, more, note) => {
  expect(groupAttention(groupStats("s/g", more))).toBe(note);
});
