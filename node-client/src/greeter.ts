/**
 * Says hello: to open a connection, to renew a token before it ends, and to see whether a silent server is alive.
 * A `hello` on a ready connection only renews its token, so asking costs nothing.
 */
import { asPostroadError, type PostroadError, Unavailable } from "./errors.js";
import { type Options, VERSION } from "./options.js";
import { type Header, isRecord } from "./protocol/frame.js";
import type { Requests } from "./session/requests.js";

const CHECK_MS = 10_000;
/** The server pings every 20 s; browsers do not show pings, so after this long the client asks. */
const PROBE_MS = 25_000;
const DEAD_MS = 45_000;
const TIMER_MAX_MS = 2 ** 31 - 1;

export interface Greeted {
  send(frame: Header): void;
  terminate(): void;
  failed(error: PostroadError): void;
}

/** The greeter of one connection. */
export class Greeter {
  latencyMs: number | undefined;
  readonly #options: Options;
  readonly #requests: Requests;
  readonly #session: string;
  readonly #connection: Greeted;
  #heardAt = Date.now();
  #isProbing = false;
  #isOver = false;
  #renewTimer: ReturnType<typeof setTimeout> | undefined;
  #checkTimer: ReturnType<typeof setInterval> | undefined;

  constructor(options: Options, requests: Requests, session: string, connection: Greeted) {
    this.#options = options;
    this.#requests = requests;
    this.#session = session;
    this.#connection = connection;
  }

  /** The fields of the `welcome`; undefined if the connection ended meanwhile. */
  async greet(): Promise<Header | undefined> {
    const welcome = await this.#hello();
    if (!this.#isOver) this.#checkTimer ??= setInterval(() => this.#check(), CHECK_MS);
    return welcome;
  }

  /** Something came from the server. */
  heard(): void {
    this.#heardAt = Date.now();
  }

  end(): void {
    this.#isOver = true;
    clearTimeout(this.#renewTimer);
    clearInterval(this.#checkTimer);
  }

  async #hello(): Promise<Header | undefined> {
    const token = await this.#token();
    if (this.#isOver) return undefined;
    const id = this.#requests.nextId();
    const sentAt = Date.now();
    const answer = new Promise<Header>((resolve, reject) => {
      this.#requests.expect(id, {
        ok: ({ op: _op, id: _id, ...welcome }) => {
          this.latencyMs = Date.now() - sentAt;
          resolve(welcome);
        },
        failed: reject,
      });
    });
    this.#connection.send({
      op: "hello",
      id,
      client: { name: this.#options.name, version: VERSION },
      format: "binary",
      session: this.#session,
      ...(token === undefined ? {} : { token }),
    });
    const welcome = await answer;
    if (token !== undefined && typeof this.#options.token === "function") this.#renewBefore(token);
    return welcome;
  }

  async #token(): Promise<string | undefined> {
    const { token } = this.#options;
    if (typeof token !== "function") return token;
    try {
      return await token();
    } catch (cause) {
      throw new Unavailable("The token function failed.", { cause });
    }
  }

  #again(): Promise<unknown> {
    return this.#hello().catch((error: unknown) => this.#connection.failed(asPostroadError(error)));
  }

  #check(): void {
    const silence = Date.now() - this.#heardAt;
    if (silence > DEAD_MS) this.#connection.terminate();
    else if (silence > PROBE_MS && !this.#isProbing) {
      this.#isProbing = true;
      void this.#again().finally(() => {
        this.#isProbing = false;
      });
    }
  }

  /** Renews a JSON Web Token before it ends; other tokens are renewed when the server closes the connection for it. */
  #renewBefore(token: string): void {
    clearTimeout(this.#renewTimer);
    const end = expiry(token);
    if (end === undefined || this.#isOver) return;
    const left = end - Date.now();
    const wait = Math.max(1_000, left - Math.min(60_000, left / 5));
    if (wait <= TIMER_MAX_MS) this.#renewTimer = setTimeout(() => void this.#again(), wait);
  }
}

/** When a JSON Web Token ends, in ms since the epoch. */
export function expiry(token: string): number | undefined {
  try {
    const payload: unknown = JSON.parse(atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/")));
    return isRecord(payload) && typeof payload["exp"] === "number" ? payload["exp"] * 1000 : undefined;
  } catch {
    return undefined;
  }
}
