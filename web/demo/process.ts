import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createProbe } from "node:net";
import { fileURLToPath } from "node:url";

export const LOOPBACK = "127.0.0.1";

/** Whether the module is what `node` was started with. */
export function isMain(url: string): boolean {
  return process.argv[1] !== undefined && fileURLToPath(url) === process.argv[1];
}

/** Serves on loopback; resolves once it listens, rejects when the port is taken. */
export async function listen(app: RequestListener, port: number): Promise<Server> {
  const server = createServer(app);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, LOOPBACK, resolve);
  });
  return server;
}

/** The port a server got. */
export function portOf(server: { address(): unknown }): number {
  const address = server.address() as { port: number } | null;
  if (address === null) throw new Error("The server does not listen.");
  return address.port;
}

/** Runs `stop` once at SIGTERM or SIGINT, then exits: with 0, or with 1 when it failed. */
export function onStop(stop: () => Promise<void>): void {
  let stopping = false;
  const once = (): void => {
    if (stopping) return;
    stopping = true;
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", once);
  process.on("SIGINT", once);
}

/** `wanted` if nobody listens there, else a free port of the system's choice. */
export async function freePort(wanted: number): Promise<number> {
  return (await tryPort(wanted)) ?? (await tryPort(0)) ?? wanted;
}

function tryPort(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const probe = createProbe();
    probe.once("error", () => resolve(null));
    probe.listen(port, LOOPBACK, () => {
      const got = portOf(probe);
      probe.close(() => resolve(got));
    });
  });
}
