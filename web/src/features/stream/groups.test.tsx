// @vitest-environment happy-dom
import { cleanup, fireEvent, screen, within } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, expect, it } from "vitest";
import { useAct } from "../../live/rights.js";
import { answer } from "../../testing/answers.js";
import { renderLive } from "../../testing/render_live.js";
import { groupStats, streamStats } from "../../testing/stats.js";
import { Groups } from "./groups.js";

afterEach(cleanup);

const stream = streamStats("clicks", {
  messages: 100,
  next: 100,
  groups: [
    groupStats("clicks/analytics", { committed: 100 }),
    groupStats("clicks/search", { committed: 40, lag: 60, consumers: 0, leased: 2, trimmedTotal: 7, deadTotal: 3 }),
  ],
});

function Page(): ReactNode {
  return <Groups stream={stream} manage={useAct("manage", "clicks")} />;
}

it("shows the group that is furthest behind first, with its position, what it lost, and its dead letters", async () => {
  await renderLive(<Page />);

  const [first] = screen.getAllByRole("row").slice(1);
  expect(first?.textContent).toContain("search");
  expect(first?.textContent).toContain("no consumer");
  expect(
    within(first as HTMLElement)
      .getByRole("img")
      .getAttribute("aria-label"),
  ).toBe("search: at 40, between 0 and 100");
  expect(
    within(first as HTMLElement)
      .getByRole("link", { name: "3" })
      .getAttribute("href"),
  ).toBe("/queues/clicks.search.dead");
});

it("asks before it resets, naming the group and the target", async () => {
  const { gateway } = await renderLive(<Page />);
  answer(gateway, "operate", { reset: { offset: 12 } });
  fireEvent.click(screen.getByRole("button", { name: "Reset search" }));
  fireEvent.change(screen.getByLabelText("Go on from"), { target: { value: "offset" } });
  fireEvent.change(screen.getByLabelText("Offset"), { target: { value: "12" } });
  fireEvent.click(screen.getByRole("button", { name: "Continue" }));

  expect(gateway.frames("operate")).toHaveLength(0);
  expect(screen.getByText(/goes on from/).textContent).toContain("search of clicks goes on from offset 12.");
  expect(screen.getByText(/goes on from/).textContent).toContain("2 leases will be revoked");

  fireEvent.click(screen.getByRole("button", { name: "Reset search to offset 12" }));
  expect((await gateway.next("operate")).header).toMatchObject({
    do: "reset",
    stream: "clicks",
    group: "search",
    to: { offset: 12 },
  });
  expect(await screen.findByText("search goes on from offset 12.")).toBeTruthy();
});

it("does not go on without a place", async () => {
  await renderLive(<Page />);
  fireEvent.click(screen.getByRole("button", { name: "Reset search" }));

  fireEvent.change(screen.getByLabelText("Go on from"), { target: { value: "offset" } });
  fireEvent.change(screen.getByLabelText("Offset"), { target: { value: "" } });

  expect((screen.getByRole("button", { name: "Continue" }) as HTMLButtonElement).disabled).toBe(true);
});
