/** The examples do what their pages say, on the real gateway and broker. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { hasBroker, withBroker } from "./rig.js";

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

describe.skipIf(!hasBroker)("with a real broker", { timeout: 60_000 }, () => {
  const rig = withBroker();

  it.each([
    {
      example: "orders",
      said: ["went to 2", "bill for order 7", "report: order 7 at offset 0", "audit: order 7"],
    },
    { example: "call", said: [[2, 3], "dead: a negative number has no root"] },
  ])("$example", async ({ example, said }) => {
    vi.stubEnv("POSTROAD_URL", rig.url);
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    await import(`../examples/${example}.mjs`);
    expect(log.mock.calls.flat()).toEqual(expect.arrayContaining(said));
    expect(log.mock.calls).toHaveLength(said.length);
  });
});
