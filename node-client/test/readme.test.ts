import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type FakeServer, serveFake } from "../src/testing/index.js";
import { FakeGateway } from "./support.js";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

describe("the README", () => {
  let server: FakeServer | undefined;
  afterEach(async () => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
    await server?.close();
  });

  it("prints the example as it is", () => {
    expect(read("README.md")).toContain(`\`\`\`js\n${read("examples/first.mjs")}\`\`\``);
  });

  it("has an example that publishes and consumes", async () => {
    const gateway = new FakeGateway();
    server = await serveFake(gateway);
    vi.stubEnv("POSTROAD_URL", server.url);
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    vi.spyOn(console, "warn").mockImplementation(() => {});

    // @ts-expect-error It is JavaScript on purpose.
    await import("../examples/first.mjs");
    await gateway.next("settle", ({ header }) => header["done"] !== undefined);

    expect(log.mock.calls.flat()).toEqual(["1-1-0 is stored", "attempt 1: a mail to ada@example.org"]);
  });

  it("names every option of connect", () => {
    const declared = /export interface ConnectOptions \{([\s\S]*?)\n\}/.exec(read("src/options.ts"))?.[1] ?? "";
    const options = [...declared.matchAll(/readonly (\w+)\?:/g)].map(([, name]) => name);

    expect(options.length).toBeGreaterThan(5);
    for (const option of options) expect(read("README.md")).toContain(`| \`${option}\` |`);
  });
});
