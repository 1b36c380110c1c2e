import { describe, expect, it } from "vitest";
import type { Mail } from "../../api/demo.js";
import type { QueueEvent } from "../../live/types.js";
import { type Stop, stopOf, towards } from "./stops.js";
import { lanesOf } from "./traffic.js";
import { LETTERS_MAX, merge, NOTHING } from "./use_mailbox.js";
import { brief } from "./your_message.js";

it.each([
  [null, null, 1],
  ["queued", null, 2],
  ["retrying", 60, 2],
  ["delivered", null, 3],
  ["delivered", 30, 3],
  ["delivered", 60, 4],
  ["done", 100, 5],
  ["dead", 60, 6],
  ["purged", null, 6],
] as const)("a message that is %s at %s %% stands at stop %i", (state, percent, stop) => {
  expect(stopOf(state, percent)).toBe(stop);
});

const walk = (from: Stop, to: Stop): Stop[] => {
  const way: Stop[] = [];
  for (let at = from; at !== to; ) {
    at = towards(at, to);
    way.push(at);
  }
  return way;
};

it.each([
  ["to the mailbox", 0, 5, [1, 2, 3, 4, 5]],
  ["back to the queue", 4, 2, [3, 2]],
  ["aside, by way of the queue", 4, 6, [3, 2, 6]],
  ["back from the dead", 6, 5, [2, 3, 4, 5]],
  ["nowhere", 3, 3, []],
] as const)("walks %s stop by stop", (_what, from, to, way) => {
  expect(walk(from, to)).toEqual(way);
});

describe("traffic", () => {
  const event = (kind: QueueEvent["kind"], count: number, ids: string[] = []): QueueEvent => ({
    position: 1,
    at: 1,
    kind,
    count,
    ids,
  });

  it("has at most three dots for an event, however many messages it is about", () => {
    expect(lanesOf(event("published", 200), null)).toEqual(["publish", "publish", "publish"]);
  });

  it("leaves out the visitor's own message, which is drawn large", () => {
    expect(lanesOf(event("acked", 1, ["mine"]), "mine")).toEqual([]);
    expect(lanesOf(event("acked", 2, ["mine", "other"]), "mine")).toEqual(["mail"]);
  });

  it("is nothing where nothing moves", () => {
    expect(lanesOf(event("paused", 1), null)).toEqual([]);
  });
});

describe("the mailbox", () => {
  const letter = (id: number): Mail => ({
    id,
    at: id,
    from: "",
    to: "",
    subject: "",
    text: "",
    html: null,
    message: `message-${id}`,
  });

  it("shows letters once, newest first, also when they are told twice", () => {
    const view = merge({ ...NOTHING, letters: [letter(2)], total: 2 }, [letter(1), letter(2), letter(3)]);

    expect(view.letters.map((one) => one.id)).toEqual([3, 2, 1]);
    expect(view.total).toBe(3);
  });

  it("keeps a bounded number of them", () => {
    const many = Array.from({ length: LETTERS_MAX + 50 }, (_, n) => letter(n + 1));

    const view = merge(NOTHING, many);

    expect(view.letters).toHaveLength(LETTERS_MAX);
    expect(view.letters[0]?.id).toBe(LETTERS_MAX + 50);
    expect(view.messages.has(many[0]?.message ?? "")).toBe(true);
  });
});

it("tells the progress of the step that runs, not of those that are over", () => {
  const steps = brief([
    { at: 1, kind: "published" },
    { at: 2, kind: "progress", percent: 60 },
    { at: 3, kind: "retrying", attempt: 1 },
    { at: 4, kind: "delivered", attempt: 2 },
    { at: 5, kind: "progress", percent: 30 },
  ]);

  expect(steps.map((step) => step.kind)).toEqual(["published", "retrying", "delivered", "progress"]);
});
