import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Child, type ChildSpec } from "./child.js";

const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));

/** What stores and delivers behind the gateway: a URL for it and, where the demo started one, the server's process. */
export class Engine {
  /** `embedded`, `redis`, … as it was asked for; of a URL its scheme, since the rest may hold a password. */
  readonly name: string;
  readonly server: Child | null;
  #url: string | null;
  #environment: Readonly<Record<string, string>> = {};

  /** @param asked - `embedded`, a URL of a server that runs, or the name of one that is to be started. */
  constructor(asked: string, data: string, base: Pick<ChildSpec, "logs" | "changed" | "process">) {
    const isUrl = asked.includes("://");
    this.name = isUrl ? asked.slice(0, asked.indexOf(":")) : asked;
    this.#url = isUrl ? asked : null;
    this.server =
      isUrl || asked === "embedded"
        ? null
        : new Child({
            ...base,
            name: asked,
            command: python(),
            args: [join(REPOSITORY, "scripts", "engine_server.py"), asked, "--data", join(data, asked)],
            env: {},
            ready: async (line) => {
              const said: unknown = JSON.parse((await line("ready {")).slice("ready ".length));
              const { url, environment } = said as { url: string; environment: Record<string, string> };
              this.#url = url;
              this.#environment = environment;
            },
          });
  }

  /** Starts the server, if it is ours; the URL is known once it serves. */
  async start(): Promise<void> {
    await this.server?.start();
  }

  async stop(): Promise<void> {
    await this.server?.stop();
  }

  /** What the gateway is started with. */
  get flags(): readonly string[] {
    return this.#url === null ? [] : ["--engine", this.#url];
  }

  /** What the gateway needs in its environment: credentials that the server takes, whatever they are. */
  get environment(): Readonly<Record<string, string>> {
    return this.#environment;
  }
}

/** The repository's environment, which has what the servers need, else whatever the path holds. */
function python(): string {
  const own = resolve(REPOSITORY, ".venv", "bin", "python");
  return existsSync(own) ? own : "python3";
}
