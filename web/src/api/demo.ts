import { deleteJson, postJson } from "./http.js";

/** The mail server's moods. */
export type MailMode = "up" | "down" | "slow";

export interface StageProcess {
  readonly name: string;
  readonly kind: "engine" | "broker" | "api" | "catcher" | "worker";
  readonly pid: number | null;
  readonly status: "starting" | "running" | "restarting" | "stopping" | "stopped";
  readonly started_at: number | null;
  readonly restarts: number;
}

export interface StageState {
  /** What stores and delivers: `embedded`, `redis`, … */
  readonly engine: string;
  readonly mail: { readonly mode: MailMode };
  readonly workers_max: number;
  readonly processes: readonly StageProcess[];
}

/** A caught letter. */
export interface Mail {
  readonly id: number;
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string | null;
  readonly message: string | null;
}

export interface Accepted {
  readonly id: string;
  readonly watch: string;
}

/** The demo's two servers: the Express API and the stage with its levers. */
export class Demo {
  readonly api: string;
  readonly stage: string;

  constructor(api: string, stage: string) {
    this.api = api.replace(/\/$/, "");
    this.stage = stage.replace(/\/$/, "");
  }

  signUp(name: string, email: string): Promise<Accepted> {
    return postJson(`${this.api}/signups`, { name, email });
  }
  signUpMany(count: number): Promise<{ count: number; ids: readonly string[]; first: Accepted | null }> {
    return postJson(`${this.api}/signups/bulk`, { count });
  }
  verify(id: string): Promise<{ verified: boolean }> {
    return postJson(`${this.api}/verify/${encodeURIComponent(id)}`);
  }
  addWorker(): Promise<{ name: string }> {
    return postJson(`${this.stage}/workers`);
  }
  killWorker(name: string): Promise<null> {
    return deleteJson(`${this.stage}/workers/${encodeURIComponent(name)}?signal=SIGKILL`);
  }
  setMail(mode: MailMode): Promise<{ mode: MailMode }> {
    return postJson(`${this.stage}/mail`, { mode });
  }
  restartBroker(): Promise<{ pid: number }> {
    return postJson(`${this.stage}/broker/restart`, { signal: "SIGKILL" });
  }
}
