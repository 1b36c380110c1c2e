import { expect, it } from "vitest";
import { stats } from "../testing/stats.js";
import { known } from "./queues.js";

const names = (queues: readonly { name: string }[] | null): string[] | undefined => queues?.map((queue) => queue.name);

it("keeps the queues that did not change", () => {
  const was = known(null, { kind: "all", queues: [stats("b"), stats("a")] });

  const now = known(was, { kind: "changed", queues: [stats("b", { ready: 5 })] });

  expect(names(now)).toEqual(["a", "b"]);
  expect(now?.[1]?.ready).toBe(5);
});

it("lets a queue go that the full list no longer has", () => {
  const was = known(null, { kind: "all", queues: [stats("a"), stats("b")] });

  expect(names(known(was, { kind: "all", queues: [stats("b")] }))).toEqual(["b"]);
});

it("knows nothing until it was told something, and an empty list once it was told so", () => {
  expect(known(null, { kind: "changed", queues: [] })).toBeNull();
  expect(known(null, { kind: "all", queues: [] })).toEqual([]);
});

it("leaves groups to their streams", () => {
  const was = [stats("a")];
  expect(known(was, { kind: "changed", queues: [stats("clicks/analytics")] })).toBe(was);
});
