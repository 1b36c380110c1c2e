/**
 * The connection that everything of a client shares: it keeps it open, greets, correlates requests, and hands frames to
 * whoever owns their `sub`. What must be done again after a reconnect is known to the participants, who are told.
 */
import { asPostroadError, errorFrom, InvalidState, NotAuthenticated, type PostroadError, Unavailable } from "./errors.js";
import { type Options, randomSession, VERSION } from "./options.js";
import { fromWire } from "./protocol/case.js";
import { decodeFrame, type Frame, type Header, isRecord, ProtocolViolation } from "./protocol/frame.js";
import { DEFAULT_LIMITS, type Limits, type Welcome } from "./protocol/types.js";
import { Requests } from "./session/requests.js";
import { type Opening, Session, type Status } from "./session/session.js";
import type { Connection } from "./transport/transport.js";

export interface Participant {
  /** The connection is ready: say again what must be said. */
  opened(opening: Opening): void;
  /** The connection is gone; another one will come. */
  lost(): void;
  /** The client has ended, by itself or because of `error`. */
  ended(error: PostroadError): void;
}

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
  /** Whether the request may be sent again when the connection is lost before its answer. */
  readonly repeat?: boolean;
}

interface Pending {
  readonly header: Header;
  readonly repeat: boolean;
  sent: boolean;
  fail(error: PostroadError): void;
}

const GREETING_MS = 10_000;
const CHECK_MS = 10_000;
/** The server pings every 20 s; browsers do not show pings, so after this long the client asks. */
const PROBE_MS = 25_000;
const DEAD_MS = 45_000;

export class Link {
  readonly options: Options;
  readonly requests = new Requests();
  /** The producer session; replaced when the broker no longer knows it. */
  sessionId: string;
  latencyMs: number | undefined;
  readonly #session: Session;
  readonly #participants = new Set<Participant>();
  readonly #routes = new Map<number, (frame: Frame) => void>();
  readonly #pending = new Map<number, Pending>();
  readonly #statusListeners = new Set<(status: Status) => void>();
  readonly #errorListeners = new Set<(error: PostroadError) => void>();
  #connection: Connection | undefined;
  #connectionNumber = 0;
  #refused: PostroadError | undefined;
  #lastHeard = 0;
  #lastSub = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #greetingTimer: ReturnType<typeof setTimeout> | undefined;
  #renewTimer: ReturnType<typeof setTimeout> | undefined;
  #checkTimer: ReturnType<typeof setInterval> | undefined;
  #probing = false;
  #started = false;
  #retryAtOnce = false;
  #ready: { promise: Promise<Welcome>; resolve(welcome: Welcome): void; reject(error: PostroadError): void } | undefined;

  constructor(options: Options) {
    this.options = options;
    this.sessionId = options.session;
    this.#session = new Session(options.reconnect, typeof options.token === "function");
    if (!options.lazy) this.start();
  }

  get status(): Status {
    return this.#session.status;
  }

  get welcome(): Welcome | undefined {
    return this.#session.welcome;
  }

  get lastError(): PostroadError | undefined {
    return this.#session.lastError;
  }

  get limits(): Limits {
    return this.#session.welcome?.limits ?? DEFAULT_LIMITS;
  }

  /** Whether frames may be sent now; while draining, settles still are. */
  get isOpen(): boolean {
    return this.status === "open" || this.status === "draining";
  }

  onStatus(listener: (status: Status) => void): () => void {
    this.#statusListeners.add(listener);
    return () => void this.#statusListeners.delete(listener);
  }

  onError(listener: (error: PostroadError) => void): () => void {
    this.#errorListeners.add(listener);
    return () => void this.#errorListeners.delete(listener);
  }

  join(participant: Participant): void {
    this.#participants.add(participant);
    this.start();
  }

  leave(participant: Participant): void {
    this.#participants.delete(participant);
  }

  /** Reserves a `sub` and takes its frames. */
  route(handler: (frame: Frame) => void): number {
    this.#routes.set(++this.#lastSub, handler);
    return this.#lastSub;
  }

  unroute(sub: number): void {
    this.#routes.delete(sub);
  }

  start(): void {
    if (this.#started || this.status === "closed") return;
    this.#started = true;
    this.#connect();
  }

  /** The server's greeting, as soon as there is one; rejected if the client ends first. */
  ready(): Promise<Welcome> {
    this.start();
    const { welcome, lastError } = this;
    if (this.isOpen && welcome !== undefined) return Promise.resolve(welcome);
    if (this.status === "closed") return Promise.reject(lastError ?? closedError());
    if (this.#ready === undefined) {
      let resolve: (welcome: Welcome) => void = () => {};
      let reject: (error: PostroadError) => void = () => {};
      const promise = new Promise<Welcome>((onOk, onError) => {
        resolve = onOk;
        reject = onError;
      });
      this.#ready = { promise, resolve, reject };
    }
    return this.#ready.promise;
  }

  /** Sends a frame if the connection is open; what must not be lost is kept by the caller. */
  send(frame: Header | Uint8Array<ArrayBuffer>): void {
    if (this.isOpen) this.#connection?.send(frame instanceof Uint8Array ? frame : JSON.stringify(frame));
  }

  /** Sends a request as soon as the connection is open and gives back the fields of its `ok`. */
  request(header: Header, { signal, timeoutMs = this.options.requestTimeoutMs, repeat = true }: RequestOptions = {}): Promise<Header> {
    this.start();
    if (this.status === "closed") return Promise.reject(this.lastError ?? closedError());
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    return new Promise((resolve, reject) => {
      const id = this.requests.nextId();
      const finish = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        this.requests.forget(id);
        this.#pending.delete(id);
      };
      const fail = (error: PostroadError): void => {
        finish();
        reject(error);
      };
      const onAbort = (): void => {
        finish();
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(() => fail(new Unavailable(`No answer to ${String(header["op"])} within ${timeoutMs} ms.`)), timeoutMs);
      signal?.addEventListener("abort", onAbort, { once: true });
      const ok = ({ op: _op, id: _id, ...answer }: Header): void => {
        finish();
        resolve(answer);
      };
      this.requests.expect(id, { ok, failed: fail });
      const pending: Pending = { header: { ...header, id }, repeat, sent: this.isOpen, fail };
      this.#pending.set(id, pending);
      if (pending.sent) this.send(pending.header);
    });
  }

  /** Asked for while opening: leaves this connection, once all participants know of it, for one with a fresh producer session. */
  renewSession(): void {
    this.sessionId = randomSession();
    this.#retryAtOnce = true;
  }

  /** Ends the client. Everything that still waits is rejected. */
  close(error: PostroadError = closedError()): void {
    if (this.status === "closed" && !this.#started) return;
    this.#session.closed();
    this.#started = false;
    const connection = this.#connection;
    this.#dropped();
    connection?.close(1000, "closed by the client");
    this.#end(error);
  }

  #connect(): void {
    const number = ++this.#connectionNumber;
    this.#refused = undefined;
    const mine = (): boolean => number === this.#connectionNumber;
    this.#greetingTimer = setTimeout(() => this.#connection?.terminate(), GREETING_MS);
    this.#connection = this.options.transport(this.options.url, "postroad.v1", {
      opened: () => mine() && void this.#greet(),
      message: (data) => mine() && this.#received(data),
      alive: () => mine() && this.#heard(),
      closed: (code, reason, cause) => mine() && this.#lost(code, reason, cause),
    });
  }

  async #greet(): Promise<void> {
    const number = this.#connectionNumber;
    try {
      await this.#hello();
    } catch (thrown) {
      if (number !== this.#connectionNumber) return;
      this.#refused = asPostroadError(thrown);
      this.#connection?.close(1000, "not greeted");
    }
  }

  /** Says hello: at the start, to renew a token, and to see whether the server is alive. */
  async #hello(): Promise<void> {
    const number = this.#connectionNumber;
    const token = await this.#token();
    if (number !== this.#connectionNumber) return;
    const id = this.requests.nextId();
    const sentAt = Date.now();
    const header = {
      op: "hello",
      id,
      client: { name: this.options.name, version: VERSION },
      format: "binary",
      session: this.sessionId,
      ...(token === undefined ? {} : { token }),
    };
    await new Promise<void>((resolve, reject) => {
      this.requests.expect(id, {
        ok: (reply) => {
          this.latencyMs = Date.now() - sentAt;
          this.#welcomed(reply);
          resolve();
        },
        failed: reject,
      });
      this.#connection?.send(JSON.stringify(header));
    });
    if (token !== undefined && typeof this.options.token === "function") this.#renewBefore(token);
  }

  async #token(): Promise<string | undefined> {
    const { token } = this.options;
    if (typeof token !== "function") return token;
    try {
      return await token();
    } catch (cause) {
      throw new Unavailable("The token function failed.", { cause });
    }
  }

  #welcomed(header: Header): void {
    const { op: _op, id: _id, ...answer } = header;
    const told = fromWire<Partial<Welcome>>(answer);
    const welcome = Object.freeze({ ...told, limits: Object.freeze({ ...DEFAULT_LIMITS, ...told.limits }) }) as Welcome;
    if (this.isOpen) return;
    clearTimeout(this.#greetingTimer);
    const opening = this.#session.welcomed(welcome, Date.now());
    this.#checkTimer = setInterval(() => this.#check(), CHECK_MS);
    for (const participant of [...this.#participants]) participant.opened(opening);
    if (this.#retryAtOnce) {
      const connection = this.#connection;
      this.#lost(1000, "A new producer session begins.", undefined);
      connection?.close(1000, "new session");
      return;
    }
    for (const pending of this.#pending.values()) {
      if (pending.sent || !this.isOpen) continue;
      pending.sent = true;
      this.send(pending.header);
    }
    if (!this.isOpen) return;
    this.#notify();
    this.#ready?.resolve(welcome);
    this.#ready = undefined;
  }

  #received(data: string | Uint8Array): void {
    this.#heard();
    try {
      this.#dispatch(decodeFrame(data));
    } catch (thrown) {
      // Whatever a server sends must not throw into the program: the connection ends and another one begins.
      const reason = thrown instanceof ProtocolViolation ? thrown.message : "A frame could not be understood.";
      this.options.logger.warn(reason, { cause: thrown });
      const connection = this.#connection;
      connection?.close(1002, reason);
      this.#lost(4002, reason, thrown);
    }
  }

  #dispatch(frame: Frame): void {
    const { header } = frame;
    switch (header["op"]) {
      case "ok":
      case "welcome":
        this.requests.reply(frame);
        return;
      case "error":
        if (!this.requests.reply(frame)) this.#report(errorFrom(header));
        return;
      case "drain":
        this.#session.drained();
        this.#notify();
        return;
      default:
        // Newer servers may send frames that this version does not know.
        if (typeof header["sub"] === "number") this.#routes.get(header["sub"])?.(frame);
    }
  }

  #report(error: PostroadError): void {
    // Refused before the greeting: the connection closes next, and this says why.
    if (!this.isOpen && error instanceof NotAuthenticated) this.#refused = error;
    this.options.logger.warn("The server reports an error.", { code: error.code, message: error.message });
    for (const listener of [...this.#errorListeners]) listener(error);
  }

  #heard(): void {
    this.#lastHeard = Date.now();
  }

  #check(): void {
    const silence = Date.now() - this.#lastHeard;
    if (silence > DEAD_MS) this.#connection?.terminate();
    else if (silence > PROBE_MS && !this.#probing) {
      this.#probing = true;
      void this.#hello()
        .catch((error: unknown) => this.#report(asPostroadError(error)))
        .finally(() => {
          this.#probing = false;
        });
    }
  }

  /** Renews a JSON Web Token before it ends; other tokens are renewed when the server asks. */
  #renewBefore(token: string): void {
    clearTimeout(this.#renewTimer);
    const end = expiry(token);
    if (end === undefined) return;
    const left = end - Date.now();
    const wait = Math.max(1_000, left - Math.min(60_000, left / 5));
    if (wait > 2 ** 31 - 1) return;
    this.#renewTimer = setTimeout(() => void this.#hello().catch((error: unknown) => this.#report(asPostroadError(error))), wait);
  }

  #lost(code: number, reason: string, cause: unknown): void {
    this.#dropped();
    const next = this.#session.lost(code, reason, cause, this.#refused, Date.now(), Math.random());
    if (next.kind === "stop") {
      this.#started = false;
      this.#end(next.error);
      return;
    }
    for (const pending of [...this.#pending.values()]) {
      if (!pending.sent) continue;
      if (pending.repeat) pending.sent = false;
      else pending.fail(new Unavailable("The connection was lost before the answer; it may have been carried out.", { cause: this.lastError }));
    }
    for (const participant of [...this.#participants]) participant.lost();
    this.#retryTimer = setTimeout(() => this.#connect(), this.#retryAtOnce ? 0 : next.afterMs);
    this.#retryAtOnce = false;
    this.#notify();
  }

  #dropped(): void {
    this.#connectionNumber++;
    this.#connection = undefined;
    this.#probing = false;
    for (const timer of [this.#retryTimer, this.#greetingTimer, this.#renewTimer, this.#checkTimer]) clearTimeout(timer);
  }

  #end(error: PostroadError): void {
    for (const pending of [...this.#pending.values()]) pending.fail(error);
    for (const participant of [...this.#participants]) participant.ended(error);
    this.#participants.clear();
    this.#routes.clear();
    if (this.#ready !== undefined) {
      this.#ready.reject(error);
      this.#ready.promise.catch(() => {});
      this.#ready = undefined;
    }
    this.#notify();
  }

  #notify(): void {
    for (const listener of [...this.#statusListeners]) listener(this.status);
  }
}

const closedError = (): PostroadError => new InvalidState("The client is closed.");

/** When a JSON Web Token ends, in ms since the epoch. */
function expiry(token: string): number | undefined {
  try {
    const payload: unknown = JSON.parse(atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/")));
    return isRecord(payload) && typeof payload["exp"] === "number" ? payload["exp"] * 1000 : undefined;
  } catch {
    return undefined;
  }
}
