// @vitest-environment happy-dom
import { cleanup, fireEvent, screen } from "@testing-library/react";
import type { FakeGateway } from "postroad/testing";
import { afterEach, expect, it } from "vitest";
import { AllStreamsProvider } from "../../live/streams.js";
import { refusal } from "../../testing/answers.js";
import { renderLive } from "../../testing/render_live.js";
import { StreamsPage } from "./page.js";

afterEach(cleanup);

const PAGE = (
  <AllStreamsProvider>
    <StreamsPage />
  </AllStreamsProvider>
);

const group = (name: string, lag: number) => ({ name, lag, consumers: 1, retrying: 0, paused: false, rate_acked: 0 });
const stream = (name: string, groups: readonly object[] = []) => ({
  name,
  earliest: 10,
  next: 1_210,
  messages: 1_200,
  bytes: 2_048,
  oldest_ms: 5_000,
  settings: {},
  groups,
});

/** What a watch of everything is answered. */
const watched = (streams: readonly object[]) => (gateway: FakeGateway) => gateway.on("watch", () => ({ streams }));

it("shows each stream with its offsets and its groups, the one furthest behind first", async () => {
  const streams = [
    stream("audit"),
    stream("clicks", [group("clicks/quick", 0), group("clicks/slow", 700), group("clicks/middle", 7)]),
  ];
  await renderLive(PAGE, watched(streams));

  const link = await screen.findByRole("link", { name: "clicks" });
  expect(link.getAttribute("href")).toBe("/streams/clicks");
  const [first, second] = screen.getAllByRole("row").slice(1);
  expect(first?.textContent).toMatch(
    /clicks1,20010…1,2102 KiB5 s0\/sslow 700 behind.*middle 7 behind.*quick at the end/,
  );
  expect(second?.textContent).toContain("audit");
});

it("filters by name", async () => {
  await renderLive(PAGE, watched([stream("audit"), stream("clicks")]));
  await screen.findByRole("link", { name: "clicks" });

  fireEvent.change(screen.getByLabelText("Filter by name"), { target: { value: "aud" } });

  expect(screen.queryByRole("link", { name: "clicks" })).toBeNull();
  expect(screen.getByRole("link", { name: "audit" })).toBeTruthy();
});

it("shows how to begin while there is no stream", async () => {
  await renderLive(PAGE, watched([]));

  expect(await screen.findByText("There is no stream yet")).toBeTruthy();
  expect(screen.getByText(/mq\.stream\("clicks"\)\.publish/)).toBeTruthy();
});

it("says why the streams cannot be read", async () => {
  await renderLive(PAGE, (gateway) => gateway.on("watch", () => refusal("This needs the right to peek.")));

  expect((await screen.findByRole("alert")).textContent).toContain("This needs the right to peek. not-allowed");
});

it("follows what changes without asking again", async () => {
  const { gateway } = await renderLive(PAGE, watched([stream("clicks")]));
  await screen.findByRole("link", { name: "clicks" });
  const { sub } = (await gateway.next("watch")).header;

  gateway.send({ op: "state", sub, queues: [], streams: [{ ...stream("clicks"), messages: 1_201 }, stream("audit")] });

  expect(await screen.findByText("1,201")).toBeTruthy();
  expect(screen.getByRole("link", { name: "audit" })).toBeTruthy();
  expect(gateway.frames("query")).toHaveLength(0);
});
