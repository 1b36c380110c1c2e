/** The real gateway and broker, where they are installed, one for each test. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach } from "vitest";
import { type Client, connect } from "../src/index.js";

const command = fileURLToPath(new URL("../../.venv/bin/postroad", import.meta.url));
const QUIET = { debug: () => {}, warn: () => {}, error: () => {} };

export const hasBroker = existsSync(command);

export interface Rig {
  readonly mq: Client;
  readonly url: string;
  start(): Promise<void>;
  stop(signal: NodeJS.Signals): Promise<void>;
}

/** Starts a broker and a client before each test, and ends both after it. */
export function withBroker(): Rig {
  let data = "";
  let port = 0;
  let server: ChildProcess | undefined;
  let mq: Client | undefined;

  async function start(): Promise<void> {
    const child = spawn(command, ["serve", "--port", String(port), "--data", data, "--grace-ms", "500"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    server = child;
    await new Promise<void>((resolve, reject) => {
      let text = "";
      const read = (chunk: Buffer): void => {
        text += chunk.toString();
        if (text.includes("is ready")) resolve();
      };
      child.stdout?.on("data", read);
      child.stderr?.on("data", read);
      child.once("exit", () => reject(new Error(text)));
    });
  }

  function stop(signal: NodeJS.Signals): Promise<void> {
    const child = server;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
      child.once("exit", () => resolve());
      child.kill(signal);
    });
  }

  beforeEach(async () => {
    data = mkdtempSync(join(tmpdir(), "postroad-client-"));
    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
    port = (probe.address() as AddressInfo).port;
    await new Promise((resolve) => probe.close(resolve));
    await start();
    mq = connect(`ws://127.0.0.1:${port}/ws`, { reconnect: { minMs: 20, maxMs: 100 }, logger: QUIET });
    await mq.ready();
  });
  afterEach(async () => {
    await mq?.close({ drain: false });
    await stop("SIGKILL");
    rmSync(data, { recursive: true, force: true });
  });

  return {
    get mq() {
      if (mq === undefined) throw new Error("No test runs.");
      return mq;
    },
    get url() {
      return `ws://127.0.0.1:${port}/ws`;
    },
    start,
    stop,
  };
}
