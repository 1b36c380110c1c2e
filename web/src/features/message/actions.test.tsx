// @vitest-environment happy-dom
import { cleanup, fireEvent, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import type { MessageInfo } from "../../live/types.js";
import { renderLive } from "../../testing/render_live.js";
import { MessageActions, originOf } from "./actions.js";

afterEach(cleanup);

const message = (more: Partial<MessageInfo> = {}): MessageInfo => ({
  id: "3-t1-0",
  queue: "emails",
  sequence: 1,
  state: "queued",
  type: "json",
  size: 10,
  publishedAt: 1_000,
  attempts: 0,
  attemptsMax: 5,
  timeline: [],
  body: { to: "a" },
  headers: { trace: "1" },
  ...more,
});

it.each([
  ["queued", ["Edit and publish again", "Cancel message"]],
  ["done", ["Edit and publish again"]],
  ["dead", ["Redrive", "Edit and redrive"]],
] as const)("offers for a message that is %s only what its state allows", async (state, names) => {
  await renderLive(<MessageActions message={message({ state })} />);

  expect(screen.getAllByRole("button").map((button) => button.textContent)).toEqual(names);
});

it("publishes an edited copy with the headers it had", async () => {
  const { gateway } = await renderLive(<MessageActions message={message()} />);
  fireEvent.click(screen.getByRole("button", { name: "Edit and publish again" }));

  fireEvent.change(screen.getByLabelText("Body, JSON"), { target: { value: '{"to":"b"}' } });
  fireEvent.click(screen.getByRole("button", { name: "Publish" }));

  const { header, bodies } = await gateway.next("publish");
  expect(header).toMatchObject({ queue: "emails" });
  expect(header["headers"]).toEqual({ trace: "1" });
  expect(new TextDecoder().decode(bodies[0])).toBe('{"to":"b"}');
});

it("corrects a dead letter in one step, so that it is not there twice", async () => {
  const dead = message({ state: "dead", queue: "emails.dead", key: "user-1" });
  const { gateway } = await renderLive(<MessageActions message={dead} />);
  gateway.on("query", ({ header }) => (header["what"] === "message" ? { op: "ok", message: dead } : undefined));
  fireEvent.click(screen.getByRole("button", { name: "Edit and redrive" }));

  fireEvent.change(await screen.findByLabelText("Body, JSON"), { target: { value: '{"to":"b"}' } });
  fireEvent.click(screen.getByRole("button", { name: "Redrive to emails" }));

  expect((await gateway.next("operate")).header).toMatchObject({
    do: "edit",
    queue: "emails.dead",
    message: "3-t1-0",
    with: { body: { to: "b" }, headers: { trace: "1" }, key: "user-1" },
  });
  expect(gateway.frames("publish")).toHaveLength(0);
});

it("does not publish what is not JSON", async () => {
  await renderLive(<MessageActions message={message()} />);
  fireEvent.click(screen.getByRole("button", { name: "Edit and publish again" }));

  fireEvent.change(screen.getByLabelText("Body, JSON"), { target: { value: "{" } });

  expect((screen.getByRole("button", { name: "Publish" }) as HTMLButtonElement).disabled).toBe(true);
});

it("asks before it cancels", async () => {
  const { gateway } = await renderLive(<MessageActions message={message()} />);
  fireEvent.click(screen.getByRole("button", { name: "Cancel message" }));
  expect(gateway.frames("operate")).toHaveLength(0);

  fireEvent.click(screen.getAllByRole("button", { name: "Cancel message" })[1] as HTMLElement);

  expect((await gateway.next("operate")).header).toMatchObject({ do: "cancel", message: "3-t1-0" });
});

it.each([
  ["emails.dead", "emails"],
  ["emails", "emails"],
  ["dead", "dead"],
])("sends copies of what is in %s to %s", (queue, origin) => {
  expect(originOf(queue)).toBe(origin);
});
