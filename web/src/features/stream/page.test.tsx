// @vitest-environment happy-dom
import { cleanup, screen } from "@testing-library/react";
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

it("says how to begin a stream that is not there", async () => {
  await renderLive(<StreamPage name="clicks" />, (gateway) =>
    gateway.on("watch", () => ({ op: "error", code: "queue-not-found", message: "No.", retryable: false })),
  );

  expect(await screen.findByText("There is no stream of this name")).toBeTruthy();
});
