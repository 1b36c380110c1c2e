import { expect, it } from "vitest";
import { streamStats } from "../testing/stats.js";
import { rateOf, type Sample, sampled } from "./streams.js";

const run = (totals: readonly number[], name = "clicks"): readonly Sample[] =>
  totals.reduce<readonly Sample[]>(
    (samples, publishedTotal, second) => sampled(samples, [streamStats(name, { publishedTotal })], second * 1_000),
    [],
  );

it("measures what came over the last seconds", () => {
  expect(rateOf(run([0, 10, 20, 30]), "clicks")).toBe(10);
});

it("forgets what is older than the span", () => {
  expect(rateOf(run([0, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000]), "clicks")).toBe(0);
});

it("knows nothing of a stream that it has seen once, or never", () => {
  expect(rateOf(run([5]), "clicks")).toBe(0);
  expect(rateOf(run([5, 6]), "other")).toBe(0);
});

it("does not count backwards when a stream was made anew", () => {
  expect(rateOf(run([500, 3]), "clicks")).toBe(0);
});

it("counts by offsets where the broker has no counter", () => {
  const samples = [100, 104].reduce<readonly Sample[]>(
    (all, next, second) => sampled(all, [streamStats("clicks", { next })], second * 1_000),
    [],
  );
  expect(rateOf(samples, "clicks")).toBe(4);
});
