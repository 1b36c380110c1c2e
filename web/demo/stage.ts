/**
 * What `make demo` starts: broker, the server of its engine where it has one, Express API, mail catcher, workers,
 * each a process of its own, and the levers that the page pulls. Ctrl-C stops all; a second start goes on with the same data. Logs are in `data/logs`.
 */
import { spawn } from "node:child_process";
import { renameSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { connect } from "postroad";
import { createControl, type Stage, stateOf } from "./control.js";
import { type Flags, parseFlags, USAGE } from "./flags.js";
import { Guard } from "./guarded.js";
import { freePort, isMain, LOOPBACK, listen, onStop } from "./process.js";
import { type Ports, Processes } from "./processes.js";
import { QUEUE } from "./signup.js";
import { Listeners } from "./sse.js";

/** A visitor sees four retries, each twice as late, and the dead-letter queue within half a minute. */
const SETTINGS = { leaseMs: 5_000, attemptsMax: 5, backoffMs: 1_000 };
const SETTINGS_FAST = { leaseMs: 3_000, attemptsMax: 5, backoffMs: 300 };
const WORK_MS = 1_200;
const WORK_MS_FAST = 40;

async function main(flags: Flags): Promise<void> {
  const ports: Ports = {
    gateway: flags.port ?? (await freePort(7070)),
    api: await freePort(8081),
    stage: await freePort(8082),
    catcher: await freePort(8083),
    smtp: await freePort(2525),
  };
  const data = resolve(flags.data);
  const logs = join(dirname(data), "logs");
  const guard = new Guard();
  const listeners = new Listeners();
  const processes = new Processes({
    ports,
    engine: flags.engine,
    data,
    logs,
    guard,
    workMs: flags.fast ? WORK_MS_FAST : WORK_MS,
    changed: () => listeners.send("state", stateOf(stage)),
  });
  const stage: Stage = { ports, processes, listeners, mail: "up" };
  const server = await listen(createControl(stage), ports.stage);
  const stop = async (): Promise<void> => {
    listeners.close();
    server.close();
    server.closeAllConnections();
    await processes.stop();
    guard.close();
  };
  onStop(async () => {
    process.stdout.write("\nStopping …\n");
    await stop();
  });

  try {
    await Promise.all([processes.startBroker(), processes.catcher.start()]);
    await declare(ports, flags.fast ? SETTINGS_FAST : SETTINGS);
    await processes.api.start();
    for (let n = 0; n < flags.workers; n++) await processes.addWorker();
  } catch (error) {
    await stop();
    throw new Error(`${(error as Error).message}. Its log is in ${logs}.`);
  }

  const { gateway, engine } = stateOf(stage);
  if (flags.readyFile !== null) ready(flags.readyFile, stage);
  box([
    ...[`Postroad is running: ${gateway}`, ""],
    ...(engine === "embedded" ? [] : [`engine ${engine}`]),
    ...[`data   ${data}`, `logs   ${logs}`, "stop   Ctrl-C; the data stays"],
  ]);
  if (flags.open) openBrowser(gateway);
}

async function declare(ports: Ports, settings: typeof SETTINGS): Promise<void> {
  const mq = connect(`ws://${LOOPBACK}:${ports.gateway}/ws`);
  try {
    await mq.queue(QUEUE).declare(settings, { update: true });
  } finally {
    await mq.close();
  }
}

/** Written beside and renamed, so that whoever waits for the file never reads half of it. */
function ready(path: string, stage: Stage): void {
  writeFileSync(`${path}.new`, JSON.stringify({ ...stateOf(stage), pid: process.pid }, null, 2));
  renameSync(`${path}.new`, path);
}

function box(lines: readonly string[]): void {
  const width = Math.max(...lines.map((line) => line.length));
  const rule = "─".repeat(width + 4);
  const rows = lines.map((line) => `│  ${line.padEnd(width)}  │`);
  process.stdout.write([`┌${rule}┐`, ...rows, `└${rule}┘`, ""].join("\n"));
}

function openBrowser(url: string): void {
  if (process.platform === "linux" && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY) return;
  const command = process.platform === "darwin" ? "open" : process.platform === "win32" ? "explorer" : "xdg-open";
  const child = spawn(command, [url], { stdio: "ignore", detached: true });
  // No browser is no reason to fail: the box shows the address.
  child.on("error", () => {});
  child.unref();
}

if (isMain(import.meta.url)) {
  if (process.argv.includes("--help")) {
    process.stdout.write(USAGE);
    process.exit(0);
  }
  try {
    await main(parseFlags(process.argv.slice(2)));
  } catch (error) {
    console.error((error as Error).message);
    process.exit(1);
  }
}
