import { transport as defaultTransport } from "#websocket";
import type { Backoff } from "./session/backoff.js";
import type { Transport } from "./transport/transport.js";

export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface ConnectOptions {
  /** A token, or a function that fetches one: it is called for each connection and before a token ends. */
  readonly token?: string | (() => string | Promise<string>);
  /** Shown to operators. @defaultValue `"postroad-node"` */
  readonly name?: string;
  /** The producer session, 1 to 64 characters `[A-Za-z0-9_-]`. @defaultValue random */
  readonly session?: string;
  /** Wait between connection attempts. @defaultValue 200 ms, doubling to 5,000 ms */
  readonly reconnect?: Partial<Backoff>;
  /** Bound of unconfirmed message bytes; beyond it a publish fails with `LimitExceeded`. @defaultValue 16 MiB */
  readonly offlineBytesMax?: number;
  /** How long a request other than a publish may wait for its answer, also while offline. @defaultValue 30,000 */
  readonly requestTimeoutMs?: number;
  /** Open the connection at the first use only. @defaultValue `false` */
  readonly lazy?: boolean;
  /** Another socket than WebSocket: see `postroad/testing`. */
  readonly transport?: Transport;
  /** @defaultValue warnings and errors to `console` */
  readonly logger?: Logger;
}

export interface Options {
  readonly url: string;
  readonly token: ConnectOptions["token"];
  readonly name: string;
  readonly session: string;
  readonly reconnect: Backoff;
  readonly offlineBytesMax: number;
  readonly requestTimeoutMs: number;
  readonly lazy: boolean;
  readonly transport: Transport;
  readonly logger: Logger;
}

export const VERSION = "0.1.0";

const CONSOLE: Logger = {
  debug: () => {},
  warn: (message, fields) => console.warn(`postroad: ${message}`, ...(fields === undefined ? [] : [fields])),
  error: (message, fields) => console.error(`postroad: ${message}`, ...(fields === undefined ? [] : [fields])),
};

export const randomSession = (): string => {
  // Not randomUUID: browsers have that in secure contexts only.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
};

/** @throws TypeError if an option cannot be meant. */
export function resolveOptions(url: string, options: ConnectOptions): Options {
  if (!/^wss?:\/\//.test(url)) throw new TypeError(`A Postroad address starts with ws:// or wss://, not "${url}".`);
  const session = options.session ?? randomSession();
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(session))
    throw new TypeError("A session is 1 to 64 characters of A-Z a-z 0-9 _ -.");
  const positive = (name: string, value: number): number => {
    if (!Number.isFinite(value) || value <= 0) throw new TypeError(`${name} must be a positive number.`);
    return value;
  };
  const minMs = positive("reconnect.minMs", options.reconnect?.minMs ?? 200);
  const maxMs = positive("reconnect.maxMs", options.reconnect?.maxMs ?? Math.max(5_000, minMs));
  return Object.freeze({
    url,
    token: options.token,
    name: options.name ?? "postroad-node",
    session,
    reconnect: { minMs, maxMs },
    offlineBytesMax: positive("offlineBytesMax", options.offlineBytesMax ?? 16 * 1024 * 1024),
    requestTimeoutMs: positive("requestTimeoutMs", options.requestTimeoutMs ?? 30_000),
    lazy: options.lazy ?? false,
    transport: options.transport ?? defaultTransport,
    logger: options.logger ?? CONSOLE,
  });
}
