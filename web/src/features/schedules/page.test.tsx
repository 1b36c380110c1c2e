// @vitest-environment happy-dom
import { cleanup, fireEvent, screen, within } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { refusals } from "../../live/rights.js";
import { answer, refusal } from "../../testing/answers.js";
import { renderLive } from "../../testing/render_live.js";
import { SchedulesPage } from "./page.js";

afterEach(() => {
  cleanup();
  refusals.clear();
});

const NIGHTLY = {
  name: "nightly",
  cron: "0 3 * * *",
  every_ms: null,
  zone: "Europe/Berlin",
  queue: "reports",
  paused: false,
  next_at: Date.now() + 7_200_000,
  last_at: null,
  fired: 0,
  last_error: null as object | null,
  body: { kind: "daily" },
};
const TICK = { ...NIGHTLY, name: "tick", cron: null, every_ms: 90_000, zone: "UTC", paused: true, next_at: null };

async function setUp(more: Partial<typeof NIGHTLY> = {}) {
  const live = await renderLive(<SchedulesPage />, (gateway) =>
    answer(gateway, "query", { schedules: { schedules: [{ ...NIGHTLY, ...more }, TICK] } }),
  );
  answer(live.gateway, "operate", { schedule: { next_at: Date.now() + 60_000 } });
  await screen.findByText("nightly");
  return live;
}

it("says when each fires, and that a paused one does not", async () => {
  await setUp();

  const [nightly, tick] = screen.getAllByRole("row").slice(1);
  expect(nightly?.textContent).toMatch(/0 3 \* \* \* Europe\/Berlin.*in (2 h|1 h 59 min)/);
  expect(tick?.textContent).toContain("every 1 min 30 s");
  expect(tick?.textContent).toContain("not while paused");
});

it("says why the last firing was refused, at its own row", async () => {
  const message = '"reports" holds 100 messages and may hold 100.';
  await setUp({ last_error: { at: Date.now() - 10_800_000, code: "queue-full", message } });

  const [nightly, tick] = screen.getAllByRole("row").slice(1);
  expect(nightly?.textContent).toMatch(/refused [23] h ago "reports" holds 100 messages and may hold 100. queue-full/);
  expect(tick?.textContent).not.toContain("refused");
});

it.each([
  ["Run now: nightly", "schedule_run", "nightly"],
  ["Pause nightly", "schedule_pause", "nightly"],
  ["Resume tick", "schedule_resume", "tick"],
])("%s", async (name, what, schedule) => {
  const { gateway } = await setUp();

  fireEvent.click(screen.getByRole("button", { name }));

  expect((await gateway.next("operate")).header).toMatchObject({ do: what, schedule });
});

it("asks before it deletes, naming the schedule", async () => {
  const { gateway } = await setUp();
  fireEvent.click(screen.getByRole("button", { name: "Delete nightly" }));
  expect(gateway.frames("operate")).toHaveLength(0);

  fireEvent.click(
    within(screen.getByRole("dialog", { name: "Delete nightly?" })).getByRole("button", { name: "Delete nightly" }),
  );

  expect((await gateway.next("operate")).header).toMatchObject({ do: "schedule_delete", schedule: "nightly" });
});

it("makes a schedule by interval to a topic", async () => {
  const { gateway } = await setUp();
  fireEvent.click(screen.getByRole("button", { name: "New schedule" }));
  const dialog = within(screen.getByRole("dialog", { name: "New schedule" }));

  fireEvent.change(dialog.getByLabelText("Name"), { target: { value: "dunning" } });
  fireEvent.change(dialog.getByLabelText("Fires"), { target: { value: "every" } });
  fireEvent.change(dialog.getByLabelText("Every"), { target: { value: "5 min" } });
  fireEvent.change(dialog.getByLabelText("Publishes to a"), { target: { value: "topic" } });
  fireEvent.change(dialog.getByLabelText("Target"), { target: { value: "orders.overdue" } });
  fireEvent.click(dialog.getByRole("button", { name: "Create schedule" }));

  const { header } = await gateway.next("operate");
  expect(header).toMatchObject({ do: "schedule", schedule: "dunning", every_ms: 300_000, topic: "orders.overdue" });
  expect(header).not.toHaveProperty("cron");
  expect(await screen.findByText(/dunning fires for the first time in/)).toBeTruthy();
});

it("says that a name in use will be replaced, and what is no interval", async () => {
  await setUp();
  fireEvent.click(screen.getByRole("button", { name: "New schedule" }));
  const dialog = within(screen.getByRole("dialog", { name: "New schedule" }));

  fireEvent.change(dialog.getByLabelText("Name"), { target: { value: "tick" } });
  fireEvent.change(dialog.getByLabelText("Fires"), { target: { value: "every" } });
  fireEvent.change(dialog.getByLabelText("Every"), { target: { value: "10 ms" } });

  expect(dialog.getByText("At least 1 s.")).toBeTruthy();
  expect(dialog.getByRole("button", { name: "Replace tick" })).toBeTruthy();
});

it("explains at the row that the right is missing", async () => {
  const { gateway } = await setUp();
  gateway.on("operate", () => refusal("This needs the right to manage on 'nightly'."));

  fireEvent.click(screen.getByRole("button", { name: "Run now: nightly" }));

  await screen.findByText(/nightly was not fired/);
  expect(screen.getByRole("button", { name: "Delete nightly" }).title).toContain("right to manage");
  expect(screen.getByRole("button", { name: "Delete tick" }).title).toBe("");
});
