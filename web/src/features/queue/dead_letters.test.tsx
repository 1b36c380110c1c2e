// @vitest-environment happy-dom
import { cleanup, fireEvent, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { renderLive } from "../../testing/render_live.js";
import { DeadLetters } from "./dead_letters.js";

afterEach(cleanup);

const dead = (id: string, sequence: number) => ({
  id,
  queue: "emails.dead",
  sequence,
  state: "dead",
  type: "json",
  size: 10,
  published_at: 1_000,
  dead_at: 2_000,
  attempts: 5,
  attempts_max: 5,
  reason: `421 for ${id}`,
  body: { to: id },
});

async function setUp(messages = [dead("a", 1), dead("b", 2)]) {
  const live = await renderLive(<DeadLetters queue="emails.dead" origin="emails" total={messages.length} />);
  live.gateway.on("query", ({ header }) =>
    header["what"] === "messages" ? { op: "ok", messages, next: null } : undefined,
  );
  live.gateway.on("operate", ({ header }) => ({
    op: "ok",
    count: Array.isArray(header["messages"]) ? header["messages"].length : messages.length,
  }));
  return live;
}

it("shows why each message is here", async () => {
  await setUp();

  expect(await screen.findByText("421 for a")).toBeTruthy();
  expect(screen.getByText("421 for b")).toBeTruthy();
});

it("sends all back to where they came from", async () => {
  const { gateway } = await setUp();
  await screen.findByText("421 for a");

  fireEvent.click(screen.getByRole("button", { name: "Redrive all" }));

  const frame = await gateway.next("operate");
  expect(frame.header).toMatchObject({ do: "redrive", queue: "emails.dead" });
  expect(frame.header).not.toHaveProperty("messages");
  expect(await screen.findByText("2 messages sent back to emails.")).toBeTruthy();
});

it("sends only the selected ones back", async () => {
  const { gateway } = await setUp();
  fireEvent.click(await screen.findByLabelText("Select b"));

  fireEvent.click(screen.getByRole("button", { name: "Redrive 1 selected" }));

  expect((await gateway.next("operate")).header).toMatchObject({ do: "redrive", messages: ["b"] });
});

it("asks before it discards, naming the queue and the count", async () => {
  const { gateway } = await setUp();
  fireEvent.click(await screen.findByLabelText("Select all shown"));
  fireEvent.click(screen.getByRole("button", { name: "Discard 2 selected" }));

  expect(gateway.frames("operate")).toHaveLength(0);
  expect(screen.getByText(/will be settled as purged/).textContent).toBe(
    "2 messages in emails.dead will be settled as purged. This cannot be undone.",
  );

  fireEvent.click(screen.getByRole("button", { name: "Discard 2" }));
  expect((await gateway.next("operate")).header).toMatchObject({ do: "discard", messages: ["a", "b"] });
});

it("says what this is while there is nothing in it", async () => {
  await setUp([]);

  expect(await screen.findByText("No dead letters")).toBeTruthy();
  expect((screen.getByRole("button", { name: "Redrive all" }) as HTMLButtonElement).disabled).toBe(true);
});

it("corrects one and sends it back in one step", async () => {
  const { gateway } = await setUp();
  gateway.on("query", ({ header }) =>
    header["what"] === "message"
      ? { op: "ok", message: { ...dead("b", 2), headers: { trace: "1" } } }
      : { op: "ok", messages: [dead("a", 1), dead("b", 2)], next: null },
  );
  fireEvent.click(await screen.findByRole("button", { name: "Edit and redrive b" }));

  fireEvent.change(await screen.findByLabelText("Body, JSON"), { target: { value: '{"to":"c"}' } });
  fireEvent.click(screen.getByRole("button", { name: "Redrive to emails" }));

  expect((await gateway.next("operate")).header).toMatchObject({
    do: "edit",
    queue: "emails.dead",
    message: "b",
    with: { body: { to: "c" }, headers: { trace: "1" } },
  });
});
