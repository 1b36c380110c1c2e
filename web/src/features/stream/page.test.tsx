// @vitest-environment happy-dom
import { cleanup, screen, within } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { renderLive } from "../../testing/render_live.js";
import { StreamPage } from "./page.js";

afterEach(cleanup);

const stream = (next: number) => ({
  ...{ name: "clicks", earliest: 0, next, messages: next, bytes: null, oldest_ms: null, groups: [] },
  settings: { retention_ms: null, retention_bytes: null, retention_count: null, keep_until_acked: false },
});

it("follows the numbers of the stream without asking again", async () => {
  const { gateway } = await renderLive(<StreamPage name="clicks" />, (gateway) =>
    gateway.on("watch", ({ header }) => (header["stream"] === "clicks" ? { stream: stream(3) } : {})),
  );
  expect(await screen.findByText("A stream, offsets 0 to 2.")).toBeTruthy();
  const watch = gateway.frames("watch").find(({ header }) => header["stream"] === "clicks");

  gateway.send({ op: "state", sub: watch?.header["sub"], stream: stream(5) });

  expect(await screen.findByText("A stream, offsets 0 to 4.")).toBeTruthy();
  expect(gateway.frames("query")).toHaveLength(0);
});

it("shows what compaction does, in all and to a group", async () => {
  const group = {
    ...{ name: "clicks/prices", ready: 0, parked: 3, leased: 1, retrying: 0, consumers: 1, paused: false },
    ...{ committed: 2, lag: 4, trimmed_total: 0, compacted_total: 11, dead_total: 0, rate_acked: 0 },
  };
  const { settings, ...rest } = stream(9);
  const compacted = {
    ...{ ...rest, messages: 2, compacted_total: 7, groups: [group] },
    settings: { ...settings, compaction: true, tombstone_ms: 3_600_000 },
  };
  await renderLive(<StreamPage name="clicks" />, (gateway) =>
    gateway.on("watch", ({ header }) => (header["stream"] === "clicks" ? { stream: compacted } : {})),
  );

  const depth = await screen.findByRole("region", { name: "Depth" });
  expect(depth.textContent).toContain("Compacted7");
  expect(screen.getByText("Compaction").parentElement?.textContent).toBe("Compactionnewest of each key");
  expect(screen.getByText("Tombstones kept for").parentElement?.textContent).toContain("1 h");
  const heads = screen.getAllByRole("columnheader").map((head) => head.textContent);
  const cells = within(screen.getByText("prices").closest("tr") as HTMLElement).getAllByRole("cell");
  expect(cells[heads.indexOf("Compacted")]?.textContent).toBe("11");
  expect(cells[heads.indexOf("Parked")]?.textContent).toBe("3");
});

it("says how to begin a stream that is not there", async () => {
  await renderLive(<StreamPage name="clicks" />, (gateway) =>
    gateway.on("watch", () => ({ op: "error", code: "queue-not-found", message: "No.", retryable: false })),
  );

  expect(await screen.findByText("There is no stream of this name")).toBeTruthy();
});
