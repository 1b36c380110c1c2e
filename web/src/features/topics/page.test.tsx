// @vitest-environment happy-dom
import { cleanup, fireEvent, screen, within } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { answer } from "../../testing/answers.js";
import { renderLive } from "../../testing/render_live.js";
import { TopicsPage } from "./page.js";

afterEach(cleanup);

const BINDINGS = [
  { topic: "orders.*", queue: "billing", headers: null },
  { topic: "orders.*", queue: "warehouse", headers: { match: "all", values: { region: "eu" } } },
  { topic: "orders.#", stream: "audit", headers: null },
];

async function setUp(bindings: readonly object[] = BINDINGS) {
  const live = await renderLive(<TopicsPage />, (gateway) => answer(gateway, "query", { bindings: { bindings } }));
  live.gateway.on("bind", () => ({ op: "ok", changed: true }));
  live.gateway.on("unbind", () => ({ op: "ok", changed: true }));
  return live;
}

it("shows the bindings of a pattern together", async () => {
  await setUp();

  const groups = (await screen.findAllByRole("rowgroup")).slice(1);
  expect(groups.map((group) => group.textContent)).toEqual([
    expect.stringContaining("orders.#audit"),
    expect.stringMatching(/orders\.\*billing.*warehouse.*region: eu/),
  ]);
});

it("says where a message would go, by topic and headers", async () => {
  await setUp();
  await screen.findByText("orders.#");
  const targets = screen.getByRole("status", { name: "Targets" });

  fireEvent.change(screen.getByLabelText("Topic"), { target: { value: "orders.new" } });
  expect(within(targets).getByText(/To 2 targets/)).toBeTruthy();

  fireEvent.change(screen.getByLabelText("Headers, one name: value a line"), { target: { value: "region: eu" } });
  expect(within(targets).getByText(/To 3 targets/)).toBeTruthy();
  expect(within(targets).getByRole("link", { name: "warehouse" })).toBeTruthy();

  fireEvent.change(screen.getByLabelText("Topic"), { target: { value: "users.new" } });
  expect(within(targets).getByText(/Nowhere/)).toBeTruthy();
});

it("adds a binding with a filter", async () => {
  const { gateway } = await setUp();
  fireEvent.click(screen.getByRole("button", { name: "Add a binding" }));
  const dialog = within(screen.getByRole("dialog", { name: "Add a binding" }));

  fireEvent.change(dialog.getByLabelText("Pattern"), { target: { value: "users.#" } });
  fireEvent.change(dialog.getByLabelText("Target"), { target: { value: "emails" } });
  fireEvent.change(dialog.getByLabelText(/^Only with headers/), { target: { value: "a: 1\nb: 2" } });
  fireEvent.change(dialog.getByLabelText("Of these headers"), { target: { value: "any" } });
  fireEvent.click(dialog.getByRole("button", { name: "Add binding" }));

  expect((await gateway.next("bind")).header).toMatchObject({
    topic: "users.#",
    queue: "emails",
    headers: { match: "any", values: { a: "1", b: "2" } },
  });
});

it("asks before it removes a binding, and names it as it was made", async () => {
  const { gateway } = await setUp();
  fireEvent.click(await screen.findByRole("button", { name: "Remove the binding of orders.* to warehouse" }));
  expect(gateway.frames("unbind")).toHaveLength(0);

  fireEvent.click(screen.getByRole("button", { name: "Remove orders.* to warehouse" }));

  expect((await gateway.next("unbind")).header).toMatchObject({
    topic: "orders.*",
    queue: "warehouse",
    headers: { match: "all", values: { region: "eu" } },
  });
});

it("shows how to begin while there is no binding", async () => {
  await setUp([]);

  expect(await screen.findByText("There is no binding yet")).toBeTruthy();
  expect(screen.getByText(/await mq\.bind/)).toBeTruthy();
});
