import { existsSync, mkdirSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Child, type ChildSpec } from "./child.js";
import { Engine } from "./engine.js";
import type { Guard } from "./guarded.js";
import { Problem } from "./problem.js";
import { LOOPBACK } from "./process.js";

/** The ports of the demo, all on loopback. */
export interface Ports {
  readonly gateway: number;
  readonly api: number;
  readonly stage: number;
  readonly catcher: number;
  readonly smtp: number;
}

export const WORKERS_MAX = 8;

const READY_TRY_MS = 50;
const READY_WAIT_MS = 30_000;

/** All processes of the demo: how each is started, and in which order they stop. */
export class Processes {
  readonly engine: Engine;
  readonly broker: Child;
  readonly catcher: Child;
  readonly api: Child;
  readonly workers = new Map<string, Child>();
  readonly #base: Pick<ChildSpec, "logs" | "changed" | "process">;
  readonly #ports: Ports;
  readonly #workMs: number;

  constructor(options: {
    ports: Ports;
    /** `embedded`, the name of an engine or the URL of one that runs. */
    engine: string;
    data: string;
    logs: string;
    guard: Guard;
    workMs: number;
    changed: () => void;
  }) {
    const { ports, data, logs, guard, changed } = options;
    mkdirSync(logs, { recursive: true });
    mkdirSync(data, { recursive: true });
    this.#ports = ports;
    this.#workMs = options.workMs;
    this.#base = { logs, changed, process: (pid, alive) => guard.note(pid, alive) };
    this.engine = new Engine(options.engine, data, this.#base);
    this.broker = new Child({
      ...this.#base,
      name: "broker",
      command: postroadCommand(),
      args: () => [
        ...["serve", "--host", LOOPBACK, "--port", String(ports.gateway), "--data", join(data, "broker")],
        ...this.engine.flags,
      ],
      env: () => ({
        POSTROAD_DEMO_API: `http://${LOOPBACK}:${ports.api}`,
        POSTROAD_DEMO_STAGE: `http://${LOOPBACK}:${ports.stage}`,
        ...this.engine.environment,
      }),
      ready: (_line, gone) => serves(`http://${LOOPBACK}:${ports.gateway}/readyz`, gone),
    });
    this.catcher = this.#node("catcher", "catcher.js", {
      PORT: String(ports.catcher),
      SMTP_PORT: String(ports.smtp),
      MAIL_DATA: join(data, "mail"),
    });
    this.api = this.#node("api", "api.js", { PORT: String(ports.api) });
  }

  get all(): readonly Child[] {
    const own = this.engine.server === null ? [] : [this.engine.server];
    return [...own, this.broker, this.api, this.catcher, ...this.workers.values()];
  }

  /** Starts the engine's server, if it is the demo's, and the broker on it. */
  async startBroker(): Promise<void> {
    await this.engine.start();
    await this.broker.start();
  }

  /** Starts one more worker under the lowest free number. */
  async addWorker(): Promise<Child> {
    if (this.workers.size >= WORKERS_MAX) {
      throw new Problem(409, "limit-exceeded", `${WORKERS_MAX} workers are enough for one machine.`);
    }
    let number = 1;
    while (this.workers.has(`worker-${number}`)) number++;
    const name = `worker-${number}`;
    const child = this.#node(name, "worker.js", {
      WORKER_NAME: name,
      SMTP_URL: `smtp://${LOOPBACK}:${this.#ports.smtp}`,
      WORK_MS: String(this.#workMs),
    });
    this.workers.set(name, child);
    try {
      await child.start();
    } catch (error) {
      this.workers.delete(name);
      throw error;
    }
    return child;
  }

  /** Ends a worker; it is not started again. */
  async removeWorker(name: string, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.workers.get(name);
    if (child === undefined) throw new Problem(404, "worker-not-found", `There is no worker "${name}".`);
    await child.stop(signal);
    this.workers.delete(name);
    child.close();
    this.#base.changed();
  }

  /** Stops what takes work first, then the broker, and what it stands on last. */
  async stop(): Promise<void> {
    await Promise.all([...this.workers.values(), this.api].map((child) => child.stop()));
    await this.catcher.stop();
    await this.broker.stop();
    await this.engine.stop();
    for (const child of this.all) child.close();
  }

  #node(name: string, file: string, env: Record<string, string>): Child {
    return new Child({
      ...this.#base,
      name,
      command: process.execPath,
      args: [fileURLToPath(new URL(file, import.meta.url))],
      env: { POSTROAD_URL: `ws://${LOOPBACK}:${this.#ports.gateway}/ws`, ...env },
      ready: (line) => line("ready"),
    });
  }
}

/** Waits until a health address answers 200. */
async function serves(url: string, gone: AbortSignal): Promise<void> {
  const until = Date.now() + READY_WAIT_MS;
  while (!gone.aborted && Date.now() < until) {
    const ok = await fetch(url).then(
      (res) => res.ok,
      () => false,
    );
    if (ok) return;
    await pause(READY_TRY_MS);
  }
  if (!gone.aborted) throw new Error(`${url} did not answer within ${READY_WAIT_MS / 1000} s`);
}

/** `POSTROAD_BIN`, else the repository's environment, else whatever the path holds. */
function postroadCommand(): string {
  if (process.env.POSTROAD_BIN !== undefined) return process.env.POSTROAD_BIN;
  const repository = resolve(fileURLToPath(new URL("../../..", import.meta.url)), ".venv", "bin", "postroad");
  if (existsSync(repository)) return repository;
  const found = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "postroad"));
  return found.find((path) => existsSync(path)) ?? "postroad";
}
