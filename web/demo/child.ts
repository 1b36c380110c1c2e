import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, type WriteStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

export type ChildStatus = "starting" | "running" | "restarting" | "stopping" | "stopped";

type Environment = Readonly<Record<string, string>>;

/** How to start one process of the demo. */
export interface ChildSpec {
  readonly name: string;
  readonly command: string;
  /** A function is asked at every start. */
  readonly args: readonly string[] | (() => readonly string[]);
  readonly env: Environment | (() => Environment);
  readonly logs: string;
  /** Resolves once the process serves. `line` finds a line of its output; `ended` fires when the process is gone. */
  ready(line: (wanted: string) => Promise<string>, ended: AbortSignal): Promise<unknown>;
  /** Called at every change of status. */
  changed(): void;
  /** Called when a process begins and when it is gone. */
  process(pid: number, alive: boolean): void;
}

const RESTART_MS = 500;
const RESTART_MS_MAX = 10_000;
const KILL_AFTER_MS = 8_000;

/**
 * One supervised process, in a process group of its own so that Ctrl-C reaches only the supervisor, which stops
 * the others in order. A process that ends by itself is started again.
 */
export class Child {
  readonly name: string;
  status: ChildStatus = "stopped";
  pid: number | null = null;
  startedAt: number | null = null;
  restarts = 0;
  readonly #spec: ChildSpec;
  readonly #log: WriteStream;
  #process: ChildProcess | null = null;
  #ended: Promise<void> = Promise.resolve();
  #wanted = false;
  #quick = 0;

  constructor(spec: ChildSpec) {
    this.name = spec.name;
    this.#spec = spec;
    this.#log = createWriteStream(join(spec.logs, `${spec.name}.log`), { flags: "a" });
  }

  /** Starts the process and waits until it serves. A first start that fails is not tried again. */
  async start(): Promise<void> {
    this.#wanted = true;
    try {
      await this.#spawn("starting");
    } catch (error) {
      await this.stop("SIGKILL");
      throw error;
    }
  }

  /** Sends the signal and waits for the end; SIGKILL follows when the process does not end by itself. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.#wanted = false;
    const child = this.#process;
    if (child !== null) {
      this.#set("stopping");
      child.kill(signal);
      const late = setTimeout(() => child.kill("SIGKILL"), KILL_AFTER_MS);
      await this.#ended;
      clearTimeout(late);
    }
    this.#set("stopped");
  }

  /** Ends the process by the signal and starts it again. */
  async restart(signal: NodeJS.Signals): Promise<void> {
    await this.stop(signal);
    this.#wanted = true;
    await this.#spawn("restarting");
  }

  close(): void {
    this.#log.end();
  }

  async #spawn(status: ChildStatus): Promise<void> {
    this.#set(status);
    const { args, env } = this.#spec;
    const child = spawn(this.#spec.command, [...(typeof args === "function" ? args() : args)], {
      env: { ...process.env, ...(typeof env === "function" ? env() : env) },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    this.#process = child;
    this.pid = child.pid ?? null;
    this.startedAt = Date.now();
    const gone = new AbortController();
    const ended = new Promise<string>((resolve) => {
      child.once("exit", (code, signal) => resolve(`${this.name} ended with ${signal ?? code}`));
      child.once("error", (error) => resolve(`${this.name} could not be started: ${error.message}`));
    });
    this.#ended = ended.then(() => {
      gone.abort();
      this.#onEnd(child);
    });
    child.stdout?.pipe(this.#log, { end: false });
    child.stderr?.pipe(this.#log, { end: false });
    if (this.pid !== null) this.#spec.process(this.pid, true);
    const line = (wanted: string): Promise<string> =>
      new Promise((resolve) => {
        if (child.stdout === null) return;
        createInterface({ input: child.stdout }).on("line", (text) => {
          if (text.includes(wanted)) resolve(text);
        });
      });
    await Promise.race([
      this.#spec.ready(line, gone.signal),
      ended.then((how) => {
        throw new Error(how);
      }),
    ]);
    if (this.#process === child) this.#set("running");
  }

  #onEnd(child: ChildProcess): void {
    if (this.#process !== child) return;
    const lived = Date.now() - (this.startedAt ?? 0);
    this.#quick = lived > 10_000 ? 1 : this.#quick + 1;
    const pid = this.pid;
    this.#process = null;
    this.pid = null;
    this.startedAt = null;
    if (pid !== null) this.#spec.process(pid, false);
    if (!this.#wanted) return;
    this.restarts++;
    this.#set("restarting");
    void pause(Math.min(RESTART_MS * 2 ** (this.#quick - 1), RESTART_MS_MAX)).then(() => {
      if (this.#wanted && this.#process === null) return this.#spawn("restarting").catch(() => {});
    });
  }

  #set(status: ChildStatus): void {
    this.status = status;
    this.#spec.changed();
  }
}
