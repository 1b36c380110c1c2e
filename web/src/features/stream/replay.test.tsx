// @vitest-environment happy-dom
import { cleanup, fireEvent, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { answer } from "../../testing/answers.js";
import { renderLive } from "../../testing/render_live.js";
import { streamStats } from "../../testing/stats.js";
import { Replay } from "./replay.js";

afterEach(cleanup);

const stream = streamStats("clicks", { earliest: 10, next: 500, messages: 490 });

async function setUp() {
  const live = await renderLive(<Replay stream={stream} open close={() => {}} />);
  answer(live.gateway, "operate", { replay: (header) => ({ count: header["dry_run"] === true ? 100 : 99 }) });
  fireEvent.change(screen.getByLabelText("Last offset"), { target: { value: "109" } });
  fireEvent.change(screen.getByLabelText("Into queue"), { target: { value: "again" } });
  return live;
}

it("counts before it copies", async () => {
  const { gateway } = await setUp();

  fireEvent.click(screen.getByRole("button", { name: "Count first" }));

  expect((await gateway.next("operate")).header).toMatchObject({ do: "replay", first: 10, last: 109, dry_run: true });
  expect(await screen.findByText("100 messages")).toBeTruthy();
  fireEvent.click(screen.getByRole("button", { name: "Replay 100 messages" }));
  expect((await gateway.next("operate")).header).toMatchObject({
    first: 10,
    last: 109,
    queue: "again",
    dry_run: false,
  });
  expect(await screen.findByText("99 messages of clicks copied to again.")).toBeTruthy();
});

it("counts again when the range is another", async () => {
  await setUp();
  fireEvent.click(screen.getByRole("button", { name: "Count first" }));
  await screen.findByText("100 messages");

  fireEvent.change(screen.getByLabelText("Last offset"), { target: { value: "200" } });

  expect(screen.queryByText("100 messages")).toBeNull();
  expect(screen.getByRole("button", { name: "Count first" })).toBeTruthy();
});

it("does not count backwards", async () => {
  await setUp();

  fireEvent.change(screen.getByLabelText("Last offset"), { target: { value: "3" } });

  expect(screen.getByText("Not before the first.")).toBeTruthy();
  expect((screen.getByRole("button", { name: "Count first" }) as HTMLButtonElement).disabled).toBe(true);
});
