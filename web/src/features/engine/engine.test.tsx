// @vitest-environment happy-dom
import { cleanup, fireEvent, screen, within } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import type { MessageInfo } from "../../live/types.js";
import { answer } from "../../testing/answers.js";
import { onEngine } from "../../testing/on_engine.js";
import { renderLive } from "../../testing/render_live.js";
import { MessageActions } from "../message/actions.js";
import { Publish } from "../publish/publish.js";
import { DeadLetters } from "../queue/dead_letters.js";
import { Messages } from "../queue/messages.js";
import { AddBinding } from "../topics/add_binding.js";
import { Needs } from "./needs.js";
import { EnginePage } from "./page.js";

afterEach(cleanup);

const message = (state: MessageInfo["state"]): MessageInfo => ({
  ...{ id: "3-t1-0", queue: "emails", sequence: 1, state, type: "json", size: 10, publishedAt: 1_000 },
  ...{ attempts: 0, attemptsMax: 5, timeline: [], body: { to: "a" } },
});

it("lists each capability with its level, and why one is missing in the gateway's own words", async () => {
  const levels = { streams: "unsupported", peek: "unsupported", delay: "emulated", results: "gateway-local" } as const;
  await renderLive(<EnginePage />, onEngine("rabbitmq", levels, { reasons: { streams: "It has queues only." } }));

  const row = (name: string): string => screen.getByRole("rowheader", { name }).closest("tr")?.textContent ?? "";
  expect(screen.getAllByRole("rowheader")).toHaveLength(4);
  expect(row("Streams")).toContain("unsupportedIt has queues only.");
  expect(row("Looking into queues")).toContain("unsupportedThe rabbitmq engine does not support looking into queues.");
  expect(row("Delayed messages")).toContain("emulated");
  expect(row("Results of handlers")).toContain("gateway-local");
  expect(screen.getByText(/rabbitmq; every confirm is synced to disk/)).toBeTruthy();
});

it("shows a page only where the engine has what it is about, and else why not", async () => {
  const page = (
    <>
      <Needs capability="streams" title="Streams">
        <p>all streams</p>
      </Needs>
      <Needs capability="topics" title="Topics">
        <p>all topics</p>
      </Needs>
    </>
  );
  await renderLive(page, onEngine("rabbitmq", { streams: "unsupported", topics: "emulated" }));

  expect(screen.queryByText("all streams")).toBeNull();
  expect(screen.getByText("The rabbitmq engine does not support streams.")).toBeTruthy();
  expect(screen.getByText("all topics")).toBeTruthy();
});

it.each([
  ["queued", "Cancel message", { cancel: "unsupported" }, "The rabbitmq engine does not support cancelling messages."],
  ["dead", "Edit and redrive", { edit: "unsupported" }, "The rabbitmq engine does not support editing dead letters."],
  ["dead", "Redrive", { redrive: "unsupported" }, "The rabbitmq engine does not support redriving dead letters."],
] as const)("switches off what cannot be done with a %s message: %s", async (state, name, levels, reason) => {
  const { gateway } = await renderLive(<MessageActions message={message(state)} />, onEngine("rabbitmq", levels));
  const button = screen.getByRole("button", { name });

  fireEvent.click(button);

  expect(button.getAttribute("aria-disabled")).toBe("true");
  expect(button.title).toBe(reason);
  expect(screen.queryByRole("dialog", { name: /Cancel|Edit/ })?.hasAttribute("open") ?? false).toBe(false);
  expect(gateway.frames("operate")).toHaveLength(0);
});

it("does not look into a queue that cannot be looked into, and says so", async () => {
  const { gateway } = await renderLive(
    <Messages queue="emails" change="1" parked={null} />,
    onEngine("rabbitmq", { peek: "unsupported" }),
  );

  expect(screen.getByText("The rabbitmq engine does not support looking into queues.")).toBeTruthy();
  expect(screen.queryByRole("searchbox")).toBeNull();
  expect(gateway.frames("query")).toHaveLength(0);
});

it("redrives all dead letters where none can be seen", async () => {
  const { gateway } = await renderLive(
    <DeadLetters queue="emails.dead" origin="emails" total={3} />,
    onEngine("rabbitmq", { peek: "unsupported", redrive: "emulated" }),
  );
  answer(gateway, "operate", { redrive: { count: 3 } });

  fireEvent.click(screen.getByRole("button", { name: "Redrive all" }));

  expect((await gateway.next("operate")).header).toMatchObject({ do: "redrive", queue: "emails.dead" });
  expect(await screen.findByText("3 messages sent back to emails.")).toBeTruthy();
});

it("lists without a search where there is none", async () => {
  await renderLive(<Messages queue="emails" change="1" parked={null} />, onEngine("redis", { search: "unsupported" }));

  const search = screen.getByRole("searchbox");
  expect(search.hasAttribute("disabled")).toBe(true);
  expect(search.title).toBe("The redis engine does not support search.");
});

it("publishes without what the engine has not", async () => {
  const levels = { priority: "unsupported", ordering_key: "unsupported" } as const;
  const { gateway } = await renderLive(
    <Publish to={{ kind: "queue", name: "q" }} open close={() => {}} like={{ body: 1, priority: 7, key: "k" }} />,
    onEngine("rabbitmq", levels),
  );
  const priority = screen.getByLabelText("Priority");
  expect(priority.hasAttribute("disabled")).toBe(true);
  expect(priority.title).toBe("The rabbitmq engine does not support priorities.");
  expect(screen.getByLabelText("Delay, s").hasAttribute("disabled")).toBe(false);

  fireEvent.click(screen.getByRole("button", { name: "Publish" }));

  const { header } = await gateway.next("publish");
  expect(header).not.toHaveProperty("priority");
  expect(header).not.toHaveProperty("key");
});

it("offers no target of a kind that the engine has not", async () => {
  await renderLive(
    <AddBinding open close={() => {}} done={() => {}} />,
    onEngine("rabbitmq", { streams: "unsupported" }),
  );

  const options = within(screen.getByLabelText("Copies to a")).getAllByRole<HTMLOptionElement>("option");
  expect(options.map((one) => [one.value, one.disabled])).toEqual([
    ["queue", false],
    ["stream", true],
  ]);
});
