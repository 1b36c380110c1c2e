// @vitest-environment happy-dom
import { cleanup, fireEvent, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { renderLive } from "../../testing/render_live.js";
import { Feed } from "./feed.js";

afterEach(cleanup);

const event = (position: number, kind: string, more: object = {}) => ({
  position,
  at: position,
  kind,
  queue: "emails",
  count: 1,
  ...more,
});

async function setUp() {
  const live = await renderLive(<Feed queue={null} />);
  await live.gateway.next("watch");
  live.gateway.notify("event", {
    events: [event(1, "published", { ids: ["a"] }), event(2, "acked", { consumer: "worker-1", ids: ["a"] })],
  });
  await screen.findByText("1 message done by worker-1");
  return live;
}

it("shows the newest event first", async () => {
  await setUp();

  const rows = screen.getAllByRole("row").slice(1);
  expect(rows[0]?.textContent).toContain("1 message done by worker-1");
  expect(rows[1]?.textContent).toContain("1 message published");
});

it("holds still while it is paused, counts what is new, and goes on", async () => {
  const { gateway } = await setUp();
  fireEvent.click(screen.getByRole("button", { name: "Pause" }));

  gateway.notify("event", { events: [event(3, "dead", { reason: "421" })] });
  const pill = await screen.findByRole("button", { name: "1 new" });
  expect(screen.queryByText(/set aside/)).toBeNull();

  fireEvent.click(pill);
  expect(await screen.findByText("1 message set aside: 421")).toBeTruthy();
});

it("does not move rows under the pointer", async () => {
  const { gateway } = await setUp();
  const table = screen.getByRole("table").parentElement as HTMLElement;
  fireEvent.pointerEnter(table);

  gateway.notify("event", { events: [event(3, "purged")] });

  await screen.findByRole("button", { name: "1 new" });
  expect(screen.queryByText("1 message purged")).toBeNull();
});

it("filters by kind and by id, consumer or reason", async () => {
  await setUp();

  fireEvent.change(screen.getByLabelText("Kind"), { target: { value: "done" } });
  expect(screen.queryByText("1 message published")).toBeNull();

  fireEvent.change(screen.getByLabelText("Filter"), { target: { value: "WORKER-2" } });
  expect(screen.getByText("No event matches the filter.")).toBeTruthy();
});

it("counts further messages beside the first one's id only where there is one", async () => {
  const { gateway } = await setUp();

  gateway.notify("event", {
    events: [event(3, "compacted", { count: 52 }), event(4, "acked", { count: 9, ids: ["b"] })],
  });

  const compacted = (await screen.findByText("52 messages let go by compaction")).closest("tr");
  expect(compacted?.textContent).not.toContain("+");
  expect(screen.getByText("9 messages done").closest("tr")?.textContent).toContain("b +8");
});
