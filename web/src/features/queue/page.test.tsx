// @vitest-environment happy-dom
import { cleanup, screen } from "@testing-library/react";
import type { FakeGateway } from "postroad/testing";
import { afterEach, expect, it } from "vitest";
import { answer } from "../../testing/answers.js";
import { renderLive } from "../../testing/render_live.js";
import { QueuePage } from "./page.js";

afterEach(cleanup);

const EMPTY = {
  ...{ name: "orders", ready: 0, parked: 0, delayed: 0, retrying: 0, leased: 0, consumers: 1, paused: false },
  ...{
    published_total: 9,
    acked_total: 0,
    dead_total: 0,
    rate_published: 0,
    rate_acked: 0,
    oldest_ms: 5_000,
    bytes: 90,
  },
};

const served =
  (more: object, settings: object = {}) =>
  (gateway: FakeGateway): void => {
    const queue = { ...EMPTY, ...more };
    gateway.on("watch", ({ header }) => (header["queue"] === "orders" ? { queue } : {}));
    answer(gateway, "query", { queue: { queue, settings, consumers: [] }, messages: { messages: [], next: null } });
  };

const figure = async (label: string): Promise<string | null> =>
  (await screen.findByText(label)).nextSibling?.textContent ?? null;

it("shows what waits for an earlier message of its key, follows it, and counts it against the room", async () => {
  const { gateway } = await renderLive(
    <QueuePage name="orders" />,
    served({ parked: 8, leased: 1 }, { length_max: 10, overflow: "reject" }),
  );
  expect(await figure("Parked")).toBe("8");
  expect(await figure("Room left")).toBe("1");
  const watch = gateway.frames("watch").find(({ header }) => header["queue"] === "orders");

  gateway.send({ op: "state", sub: watch?.header["sub"], queue: { ...EMPTY, parked: 5, leased: 1 } });

  await screen.findByText("5");
  expect(await figure("Parked")).toBe("5");
  expect(await figure("Room left")).toBe("4");
});

it("can be purged when all that waits waits for its key", async () => {
  await renderLive(<QueuePage name="orders" />, served({ parked: 2 }));

  expect(await figure("Parked")).toBe("2");
  expect(screen.getByRole("button", { name: "Purge" }).hasAttribute("disabled")).toBe(false);
});

it("has a dash for parked messages that the engine cannot tell", async () => {
  await renderLive(<QueuePage name="orders" />, served({ parked: null }));

  expect(await figure("Parked")).toBe("–");
});
