import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, it, onTestFinished } from "vitest";
import { Child, type ChildStatus } from "../child.js";

interface Watched {
  readonly child: Child;
  /** Resolves when the status is reached; at once if it is now. */
  reaches(status: ChildStatus, times?: number): Promise<void>;
  readonly alive: Set<number>;
}

function start(script: string): Watched {
  const logs = mkdtempSync(`${tmpdir()}/child-`);
  const alive = new Set<number>();
  const seen: ChildStatus[] = [];
  const waiting: { status: ChildStatus; times: number; resolve: () => void }[] = [];
  const check = (): void => {
    for (const one of waiting) if (seen.filter((status) => status === one.status).length >= one.times) one.resolve();
  };
  const child = new Child({
    name: "thing",
    command: process.execPath,
    args: ["-e", script],
    env: {},
    logs,
    ready: (line) => line("ready"),
    changed: () => {
      if (seen.at(-1) !== child.status) seen.push(child.status);
      check();
    },
    process: (pid, isAlive) => void (isAlive ? alive.add(pid) : alive.delete(pid)),
  });
  onTestFinished(async () => {
    await child.stop("SIGKILL");
    child.close();
    rmSync(logs, { recursive: true, force: true });
  });
  return {
    child,
    alive,
    reaches: (status, times = 1) =>
      new Promise((resolve) => {
        waiting.push({ status, times, resolve });
        check();
      }),
  };
}

const SERVES = "console.log('ready'); setInterval(() => {}, 1000)";

it("runs once it says that it is ready, and is gone after a stop", async () => {
  const { child, alive } = start(SERVES);

  await child.start();
  expect(child.status).toBe("running");
  expect([...alive]).toEqual([child.pid]);

  await child.stop();
  expect(child).toMatchObject({ status: "stopped", pid: null });
  expect(alive.size).toBe(0);
});

it("starts again what ended by itself", async () => {
  const { child, reaches } = start(SERVES);
  await child.start();
  const before = child.pid ?? 0;

  process.kill(before, "SIGKILL");
  await reaches("running", 2);

  expect(child.pid).not.toBe(before);
  expect(child.restarts).toBe(1);
});

it("leaves alone what was killed on purpose", async () => {
  const { child } = start(SERVES);
  await child.start();

  await child.stop("SIGKILL");

  expect(child).toMatchObject({ status: "stopped", pid: null, restarts: 0 });
});

it("says how it ended when it never got ready", async () => {
  const { child } = start("process.exit(3)");

  await expect(child.start()).rejects.toThrow("thing ended with 3");
  expect(child.status).toBe("stopped");
});
