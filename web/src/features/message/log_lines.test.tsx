// @vitest-environment happy-dom
import { cleanup, screen, waitFor } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { renderLive } from "../../testing/render_live.js";
import { MessagePage } from "./page.js";

afterEach(cleanup);

const message = {
  ...{ id: "3-t1-0", queue: "videos", sequence: 1, state: "delivered", type: "json", size: 2, published_at: 1 },
  ...{ attempts: 0, attempts_max: 5, timeline: [{ at: 1, kind: "published" }], body: 1, headers: null },
};
const line = (n: number, level: string, text: string) => ({
  ...{ n, at: n, level, text, attempt: 1, consumer: "worker-1", queue: "videos" },
});

it("shows what the handler says as it says it, with levels other than info named", async () => {
  const { gateway } = await renderLive(<MessagePage id="3-t1-0" />, (gateway) => {
    gateway.on("query", () => ({ op: "ok", message }));
    gateway.on("watch", () => ({ message, logs: [line(1, "info", "Input #0")] }));
  });
  await screen.findByText("Input #0");

  const { header } = await gateway.next("watch");
  gateway.send({ op: "state", sub: header["sub"], logs: [line(2, "warn", "slow disk")] });

  await waitFor(() =>
    expect(
      [...screen.getByRole("list", { name: "Log lines" }).querySelectorAll("li")].map((row) => [
        row.querySelector(".log-level")?.textContent,
        row.querySelector(".log-text")?.textContent,
      ]),
    ).toEqual([
      [undefined, "Input #0"],
      ["warn", "slow disk"],
    ]),
  );
});

it("has no place for lines where nothing was said", async () => {
  await renderLive(<MessagePage id="3-t1-0" />, (gateway) => {
    gateway.on("query", () => ({ op: "ok", message }));
    gateway.on("watch", () => ({ message }));
  });
  await screen.findByRole("list", { name: "Timeline" });

  expect(screen.queryByRole("list", { name: "Log lines" })).toBeNull();
});
