// @vitest-environment happy-dom
import { cleanup, render, screen, within } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { type Followed, YourMessage } from "./your_message.js";

afterEach(cleanup);

const mine = { id: "3-t1-0", watch: "cap", name: "Ada", acceptedAt: 1_000, answerMs: 12 };
const followed = (more: Partial<Followed> = {}): Followed => ({
  state: "queued",
  attempts: 0,
  attemptsMax: 5,
  percent: null,
  note: null,
  timeline: [{ at: 1_000, kind: "published" }],
  failure: null,
  ...more,
});
const show = (more: Partial<Followed> = {}, arrived = false): HTMLElement => {
  render(<YourMessage mine={mine} followed={followed(more)} arrived={arrived} />);
  return screen.getByRole("region", { name: "Your message" });
};

it("tells every step in order, from Express to the mailbox", () => {
  const region = show(
    {
      state: "done",
      timeline: [
        { at: 1_000, kind: "published" },
        { at: 1_010, kind: "delivered", consumer: "worker-1", attempt: 1 },
        { at: 2_250, kind: "acked", consumer: "worker-1" },
      ],
    },
    true,
  );

  const steps = within(within(region).getByRole("list", { name: "Timeline" })).getAllByRole("listitem");
  expect(steps.map((step) => step.textContent?.replace(/\d\d:\d\d:\d\d$/, ""))).toEqual([
    "Accepted by Express, 20212 ms",
    "In the queue, synced to disk",
    "Delivered to worker-1+10 ms",
    "Done by worker-1+1.2 s",
    "The letter is in the mailbox",
  ]);
});

it("gives the reason of a failed attempt and counts the attempts", () => {
  const region = show({
    state: "retrying",
    attempts: 2,
    timeline: [{ at: 1_000, kind: "retrying", attempt: 2, reason: "421 broken", due: 1_500 }],
  });

  expect(region.textContent).toContain("attempt 2 of 5");
  expect(region.textContent).toContain("421 broken");
});

it("counts the attempt that runs as one", () => {
  expect(show({ state: "delivered", attempts: 2 }).textContent).toContain("attempt 3 of 5");
});

it("does not speak of attempts while the first one runs", () => {
  expect(show({ state: "delivered", attempts: 0 }).textContent).not.toContain("attempt");
});

it.each([
  ["that the letter has arrived", { state: "done" as const }, true, "Your letter has arrived."],
  ["a failed attempt", { state: "retrying" as const, attempts: 1 }, false, "Attempt 1 failed; it will be tried again."],
  ["a dead letter", { state: "dead" as const }, false, "Your message was set aside as a dead letter."],
  ["nothing at every tick", { state: "delivered" as const, percent: 60 }, false, ""],
])("announces %s", (_what, more, arrived, text) => {
  const region = show(more, arrived);

  expect(within(region).getByRole("status", { name: "Outcome" }).textContent).toBe(text);
});

it("explains the road ahead before anything was sent", () => {
  render(<YourMessage mine={null} followed={followed({ state: null, timeline: [] })} arrived={false} />);

  expect(within(screen.getByRole("list", { name: "What will happen" })).getAllByRole("listitem")).toHaveLength(4);
  expect(screen.queryByRole("list", { name: "Timeline" })).toBeNull();
});
