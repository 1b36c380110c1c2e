// @vitest-environment happy-dom
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { connect } from "postroad";
import { PostroadProvider } from "postroad/react";
import { createTestBroker } from "postroad/testing";
import { afterEach, expect, it, onTestFinished, vi } from "vitest";
import { StreamMessages } from "./messages.js";

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

/** A broker in memory with three clicks, and the page over it. */
async function setUp() {
  const broker = createTestBroker();
  const mq = connect("ws://broker", { transport: broker.transport });
  await mq.stream("clicks").publishMany([{ n: 0 }, { n: 1 }, { n: 2 }]);
  const page = render(
    <PostroadProvider client={mq}>
      <StreamMessages stream="clicks" snippet="" />
    </PostroadProvider>,
  );
  onTestFinished(async () => {
    page.unmount();
    await mq.close({ drain: false });
  });
  await screen.findByText('{"n":2}');
  return mq;
}

const bodies = (): (string | null)[] =>
  screen
    .getAllByRole("row")
    .slice(1)
    .map((row) => row.lastElementChild?.textContent ?? null);

it("follows the end of the stream, newest first", async () => {
  const mq = await setUp();
  expect(bodies()).toEqual(['{"n":2}', '{"n":1}', '{"n":0}']);

  await mq.stream("clicks").publish({ n: 3 });

  await screen.findByText('{"n":3}');
  expect(bodies()[0]).toBe('{"n":3}');
});

it("holds still while it is paused, counts what is new, and goes on", async () => {
  const mq = await setUp();
  fireEvent.click(screen.getByRole("button", { name: "Pause" }));

  await mq.stream("clicks").publish({ n: 3 });

  const pill = await screen.findByRole("button", { name: "1 new" });
  expect(screen.queryByText('{"n":3}')).toBeNull();
  fireEvent.click(pill);
  expect(await screen.findByText('{"n":3}')).toBeTruthy();
});

it("reads a page from an offset on, and the next one from where it ended", async () => {
  await setUp();
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (url: string) => {
    asked.push(url);
    const first = Number(new URL(url, "http://h").searchParams.get("from"));
    const many = first === 40 ? 100 : 1;
    const messages = Array.from({ length: many }, (_, n) => ({
      offset: first + n,
      id: `1-1-${n}`,
      published_at: 1_000,
      type: "json",
      body: { at: first + n },
    }));
    return Response.json({ messages, next: first + many });
  });
  fireEvent.change(screen.getByLabelText("Show"), { target: { value: "offset" } });
  fireEvent.change(screen.getByLabelText("Offset"), { target: { value: "40" } });
  fireEvent.click(screen.getByRole("button", { name: "Go" }));

  expect(await screen.findByText('{"at":40}')).toBeTruthy();
  fireEvent.click(screen.getByRole("button", { name: "Show 100 more" }));

  expect(await screen.findByText('{"at":140}')).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Show 100 more" })).toBeNull();
  expect(asked).toEqual([
    "/v1/streams/clicks/messages?from=40&limit=100",
    "/v1/streams/clicks/messages?from=140&limit=100",
  ]);
});

it("opens a message to its whole body", async () => {
  await setUp();
  const offset = screen.getByRole("button", { name: "Offset 1" });

  fireEvent.click(offset);

  expect(offset.getAttribute("aria-expanded")).toBe("true");
  await waitFor(() => expect(screen.getByText("Body of offset 1")).toBeTruthy());
});
