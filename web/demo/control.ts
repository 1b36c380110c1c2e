import express, { type Express } from "express";
import type { Child } from "./child.js";
import { loopbackOnly } from "./loopback.js";
import { Problem, problems } from "./problem.js";
import { LOOPBACK } from "./process.js";
import { type Ports, type Processes, WORKERS_MAX } from "./processes.js";
import { passOn } from "./proxy.js";
import { MODES, type Mode } from "./smtp.js";
import type { Listeners } from "./sse.js";

/** What the page knows about the processes behind it. */
export interface StageState {
  readonly gateway: string;
  readonly api: string;
  readonly stage: string;
  readonly catcher: string;
  readonly smtp: string;
  /** What stores and delivers: `embedded`, `redis`, … */
  readonly engine: string;
  readonly mail: { readonly mode: Mode };
  readonly workers_max: number;
  readonly processes: readonly {
    readonly name: string;
    readonly kind: "engine" | "broker" | "api" | "catcher" | "worker";
    readonly pid: number | null;
    readonly status: Child["status"];
    readonly started_at: number | null;
    readonly restarts: number;
  }[];
}

export interface Stage {
  readonly ports: Ports;
  readonly processes: Processes;
  readonly listeners: Listeners;
  mail: Mode;
}

export function stateOf(stage: Stage): StageState {
  const { ports, processes } = stage;
  const url = (port: number): string => `http://${LOOPBACK}:${port}`;
  return {
    gateway: url(ports.gateway),
    api: url(ports.api),
    stage: url(ports.stage),
    catcher: url(ports.catcher),
    smtp: `smtp://${LOOPBACK}:${ports.smtp}`,
    engine: processes.engine.name,
    mail: { mode: stage.mail },
    workers_max: WORKERS_MAX,
    processes: processes.all.map((child) => ({
      name: child.name,
      kind: kindOf(child, processes),
      pid: child.pid,
      status: child.status,
      started_at: child.startedAt,
      restarts: child.restarts,
    })),
  };
}

function kindOf(child: Child, { engine, broker, api, catcher }: Processes): StageState["processes"][number]["kind"] {
  if (child === engine.server) return "engine";
  if (child === broker) return "broker";
  if (child === api) return "api";
  return child === catcher ? "catcher" : "worker";
}

/** The levers of the demo: who may break what, over HTTP on loopback. */
export function createControl(stage: Stage): Express {
  const { processes, listeners, ports } = stage;
  const app = express();
  app.disable("x-powered-by");
  app.use(loopbackOnly);
  app.use(express.json({ limit: "1kb" }));

  app.get("/state", (_req, res) => {
    res.json(stateOf(stage));
  });

  app.get("/events", (req, res) => {
    listeners.add(req, res, { event: "state", data: stateOf(stage) });
  });

  app.post("/workers", async (_req, res) => {
    const child = await processes.addWorker();
    res.status(201).json({ name: child.name, pid: child.pid });
  });

  app.delete("/workers/:name", async (req, res) => {
    await processes.removeWorker(req.params.name, signalOf(req.query.signal));
    res.status(204).end();
  });

  app.post("/mail", async (req, res) => {
    const mode = (req.body as { mode?: unknown } | undefined)?.mode;
    if (!MODES.includes(mode as Mode))
      throw new Problem(400, "invalid-request", "The mode is one of up, down and slow.");
    const answer = await fetch(`http://${LOOPBACK}:${ports.catcher}/mode`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ mode }),
    }).catch(() => null);
    if (answer?.ok !== true)
      throw new Problem(503, "unavailable", "The mail server does not answer.", { retryable: true });
    stage.mail = mode as Mode;
    listeners.send("state", stateOf(stage));
    res.json({ mode });
  });

  app.post("/broker/restart", async (req, res) => {
    const signal = signalOf((req.body as { signal?: unknown } | undefined)?.signal);
    if (processes.broker.status !== "running") {
      throw new Problem(409, "invalid-state", "The broker is being restarted already.", { retryable: true });
    }
    await processes.broker.restart(signal);
    res.json({ pid: processes.broker.pid });
  });

  app.get(/^\/mails(\/|$)/, passOn(`http://${LOOPBACK}:${ports.catcher}`));
  app.use(() => {
    throw new Problem(404, "not-found", "There is nothing here.");
  });
  app.use(problems);
  return app;
}

function signalOf(value: unknown): "SIGKILL" | "SIGTERM" {
  if (value === undefined || value === "SIGKILL") return "SIGKILL";
  if (value === "SIGTERM") return value;
  throw new Problem(400, "invalid-request", "The signal is SIGKILL or SIGTERM.");
}
