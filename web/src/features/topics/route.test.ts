import { expect, it } from "vitest";
import type { Binding } from "../../live/types.js";
import { byPattern, followed, targets } from "./route.js";

const bindings: readonly Binding[] = [
  { topic: "orders.*", queue: "billing" },
  { topic: "orders.#", stream: "audit" },
  { topic: "#", stream: "audit" },
  { topic: "orders.*", queue: "warehouse", headers: { match: "all", values: { region: "eu" } } },
];
const where = (topic: string, headers: Readonly<Record<string, string>> = {}): readonly string[] =>
  targets(followed(bindings, topic, headers)).map((target) => target.name);

it("copies to every target whose pattern and filter fit, once each", () => {
  expect(where("orders.new", { region: "eu" })).toEqual(["billing", "audit", "warehouse"]);
});

it("leaves out targets whose filter does not fit", () => {
  expect(where("orders.new", { region: "us" })).toEqual(["billing", "audit"]);
});

it("says which patterns lead to a target", () => {
  expect(targets(followed(bindings, "orders.new", {}))[1]).toEqual({
    kind: "stream",
    name: "audit",
    patterns: ["orders.#", "#"],
  });
});

it("groups bindings by pattern", () => {
  expect(byPattern(bindings).map(([pattern, all]) => [pattern, all.length])).toEqual([
    ["#", 1],
    ["orders.#", 1],
    ["orders.*", 2],
  ]);
});
