// @vitest-environment happy-dom
import { cleanup, fireEvent, screen, within } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { answer } from "../../testing/answers.js";
import { renderLive } from "../../testing/render_live.js";
import { Messages } from "./messages.js";

afterEach(cleanup);

const row = (id: string, sequence: number) => ({
  id,
  queue: "emails",
  sequence,
  state: "queued",
  type: "json",
  size: 10,
  published_at: 1_000,
  attempts: 0,
  attempts_max: 5,
  body: { to: id },
});

it("searches in steps and says how far it has looked", async () => {
  const { gateway } = await renderLive(<Messages queue="emails" change="" parked={0} />);
  answer(gateway, "query", {
    messages: ({ text, after }) =>
      text === undefined
        ? { messages: [row("a", 1)], next: null }
        : after === undefined
          ? { messages: [row("b", 2)], next: 10_000, searched: 10_000 }
          : { messages: [row("c", 10_050)], next: null, searched: 60 },
  });
  await screen.findByText("a");

  fireEvent.change(screen.getByLabelText("Search messages"), { target: { value: "ada" } });
  fireEvent.submit(screen.getByRole("form", { name: "Search" }));
  expect(await screen.findByText(/1 message found in 10,000 looked through/)).toBeTruthy();

  fireEvent.click(screen.getByRole("button", { name: "Search on" }));
  expect(await screen.findByText(/2 messages found in 10,060 looked through, all there are/)).toBeTruthy();
  expect(screen.getByText("b")).toBeTruthy();
});

it("asks for a header by name and value", async () => {
  const { gateway } = await renderLive(<Messages queue="emails" change="" parked={0} />, (gateway) =>
    answer(gateway, "query", { messages: { messages: [], next: null } }),
  );

  fireEvent.change(screen.getByLabelText("Search in"), { target: { value: "header" } });
  fireEvent.change(screen.getByLabelText("Search messages"), { target: { value: "region: eu" } });
  fireEvent.submit(screen.getByRole("form", { name: "Search" }));

  const { header } = await gateway.next("query", ({ header }) => header["headers"] !== undefined);
  expect(header).toMatchObject({ what: "messages", queue: "emails", state: "ready", headers: { region: "eu" } });
});

it("lists what waits for its ordering key", async () => {
  const { gateway } = await renderLive(<Messages queue="emails" change="" parked={1} />, (gateway) =>
    answer(gateway, "query", {
      messages: ({ state }) => ({
        messages: state === "parked" ? [{ ...row("second", 2), key: "order-7" }] : [row("first", 1)],
        next: null,
      }),
    }),
  );
  await screen.findByText("first");

  fireEvent.click(screen.getByRole("button", { name: "parked" }));

  expect((await screen.findByRole("link", { name: "second" })).closest("tr")?.textContent).toContain("order-7");
  expect(gateway.frames("query").at(-1)?.header).toMatchObject({ what: "messages", queue: "emails", state: "parked" });
});

it("does not offer parked messages where the engine cannot tell them", async () => {
  await renderLive(<Messages queue="emails" change="" parked={null} />, (gateway) =>
    answer(gateway, "query", { messages: { messages: [], next: null } }),
  );

  const tabs = within(screen.getByRole("group", { name: "State" })).getAllByRole("button");
  expect(tabs.map((tab) => tab.textContent)).toEqual(["ready", "delayed, retrying", "leased"]);
});
