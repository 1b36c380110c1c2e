import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { fitsHeaders, matches, patternError, topicError } from "./pattern.js";

interface Vectors {
  readonly rows: readonly { readonly pattern: string; readonly topic: string; readonly matches: boolean }[];
  readonly invalid: readonly string[];
}

// The same table that the broker and the client are held to.
const { rows, invalid } = JSON.parse(
  readFileSync(new URL("../../../tests/vectors/patterns.json", import.meta.url), "utf8"),
) as Vectors;

it.each(rows)("$pattern on $topic: $matches", (row) => {
  expect(matches(row.pattern, row.topic)).toBe(row.matches);
});

it.each(rows)("takes $pattern as a pattern", ({ pattern }) => {
  expect(patternError(pattern)).toBeNull();
});

it.each(invalid)("refuses %j as a pattern", (pattern) => {
  expect(patternError(pattern)).not.toBeNull();
});

it("refuses wildcards in a topic that is published to", () => {
  expect(topicError("orders.*")).not.toBeNull();
  expect(topicError("orders.new")).toBeNull();
});

const eu = { region: "eu", tier: "gold" };

it.each([
  ["no filter", null, {}, true],
  ["all, all there", { match: "all", values: { region: "eu", tier: "gold" } }, eu, true],
  ["all, one is another", { match: "all", values: { region: "eu", tier: "iron" } }, eu, false],
  ["all is the default", { values: { region: "eu", tier: "iron" } }, eu, false],
  ["any, one is there", { match: "any", values: { region: "us", tier: "gold" } }, eu, true],
  ["any, none is there", { match: "any", values: { region: "us" } }, eu, false],
  ["a missing header", { match: "any", values: { region: "eu" } }, {}, false],
] as const)("filters by headers: %s", (_what, filter, headers, fits) => {
  expect(fitsHeaders(filter, headers)).toBe(fits);
});
