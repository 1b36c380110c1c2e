import { expect, it } from "vitest";
import { addUp } from "../features/overview/total_rates.js";
import { stats } from "../testing/stats.js";
import { ceiling, points } from "../ui/chart.js";
import { HISTORY_SLOTS, RateHistory } from "./history.js";

it("samples the newest state, bounded, and forgets queues that are gone", () => {
  const history = new RateHistory();
  history.feed([stats("a", { rateAcked: 1 }), stats("b")]);
  history.sample();
  history.feed([stats("a", { rateAcked: 2 })]);
  for (let n = 0; n < HISTORY_SLOTS + 10; n++) history.sample();

  expect(history.of("a").acked).toHaveLength(HISTORY_SLOTS);
  expect(history.of("a").acked.at(-1)).toBe(2);
  expect(history.of("b").acked).toEqual([]);
});

it("gives the same snapshot until the next sample, as a store must", () => {
  const history = new RateHistory();
  history.feed([stats("a")]);
  history.sample();

  expect(history.of("a")).toBe(history.of("a"));
  expect(history.of("none")).toBe(history.of("none"));
});

it("adds histories of different length at their newest end", () => {
  expect(addUp([[1, 2, 3], [10]])).toEqual([1, 2, 13]);
  expect(addUp([])).toEqual([]);
});

it.each([
  [0, 1],
  [1, 1],
  [1.2, 2],
  [4, 5],
  [7, 10],
  [180, 200],
  [201, 500],
])("has a ceiling for %d that is %d", (value, top) => {
  expect(ceiling(value)).toBe(top);
});

it("draws the newest value at the right edge and never above the top", () => {
  expect(points([0, 5, 50], 5, 10, 100, 10)).toBe("50.0,10.0 75.0,5.0 100.0,0.0");
});
