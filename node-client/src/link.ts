/**
 * The connection that everything of a client shares: it keeps it open, greets, correlates requests, and hands frames to
 * whoever owns their `sub`. What must be done again after a reconnect is known to the participants, who are told.
 */
import { asPostroadError, errorFrom, InvalidState, NotAuthenticated, type PostroadError } from "./errors.js";
import { Greeter } from "./greeter.js";
import { type Options, randomSession } from "./options.js";
import { PendingRequests, type RequestOptions } from "./pending.js";
import { fromWire } from "./protocol/case.js";
import { decodeFrame, type Frame, type Header, ProtocolViolation } from "./protocol/frame.js";
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

const GREETING_MS = 10_000;

export class Link {
  readonly options: Options;
  readonly requests = new Requests();
  readonly #session: Session;
  readonly #pending: PendingRequests;
  readonly #participants = new Set<Participant>();
  readonly #routes = new Map<number, (frame: Frame) => void>();
  readonly #statusListeners = new Set<(status: Status) => void>();
  readonly #errorListeners = new Set<(error: PostroadError) => void>();
  readonly #ready: { resolve(welcome: Welcome): void; reject(error: PostroadError): void }[] = [];
  /** The producer session; replaced when the broker no longer knows it. */
  #sessionId: string;
  #connection: Connection | undefined;
  #greeter: Greeter | undefined;
  #connectionNumber = 0;
  #refused: PostroadError | undefined;
  #lastSub = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #greetingTimer: ReturnType<typeof setTimeout> | undefined;
  #isStarted = false;
  #renewsSession = false;

  constructor(options: Options) {
    this.options = options;
    this.#sessionId = options.session;
    this.#session = new Session(options.reconnect, typeof options.token === "function");
    const send = (header: Header): boolean => {
      if (this.isOpen) this.send(header);
      return this.isOpen;
    };
    this.#pending = new PendingRequests(this.requests, send, options.requestTimeoutMs);
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

  get latencyMs(): number | undefined {
    return this.#greeter?.latencyMs;
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
    if (this.#isStarted || this.status === "closed") return;
    this.#isStarted = true;
    this.#connect();
  }

  /** The server's greeting, as soon as there is one; rejected if the client ends first. */
  ready(): Promise<Welcome> {
    this.start();
    const { welcome, lastError } = this;
    if (this.isOpen && welcome !== undefined) return Promise.resolve(welcome);
    if (this.status === "closed") return Promise.reject(lastError ?? closedError());
    return new Promise((resolve, reject) => this.#ready.push({ resolve, reject }));
  }

  /** Sends a frame if the connection is open; what must not be lost is kept by the caller. */
  send(frame: Header | Uint8Array<ArrayBuffer>): void {
    if (this.isOpen) this.#connection?.send(frame instanceof Uint8Array ? frame : JSON.stringify(frame));
  }

  /** Sends a request as soon as the connection is open and gives back the fields of its `ok`. */
  request(header: Header, options: RequestOptions = {}): Promise<Header> {
    this.start();
    if (this.status === "closed") return Promise.reject(this.lastError ?? closedError());
    return this.#pending.ask(header, options);
  }

  /** Asked for while opening: leaves this connection, once all participants know of it, for one with a fresh producer session. */
  renewSession(): void {
    this.#sessionId = randomSession();
    this.#renewsSession = true;
  }

  /** Does not wait for the next attempt: there may be a network again. */
  retryNow(): void {
    if (this.#retryTimer === undefined) return;
    clearTimeout(this.#retryTimer);
    this.#connect();
  }

  /** Ends the client. Everything that still waits is rejected. */
  close(error: PostroadError = closedError()): void {
    if (this.status === "closed") return;
    this.#session.closed();
    const connection = this.#connection;
    this.#dropped();
    connection?.close(1000, "closed by the client");
    this.#end(error);
  }

  #connect(): void {
    this.#retryTimer = undefined;
    this.#refused = undefined;
    const number = ++this.#connectionNumber;
    const mine = (): boolean => number === this.#connectionNumber;
    const greeter = new Greeter(this.options, this.requests, this.#sessionId, {
      send: (frame) => mine() && this.#connection?.send(JSON.stringify(frame)),
      terminate: () => mine() && this.#connection?.terminate(),
      failed: (error) => mine() && this.#report(error),
    });
    this.#greeter = greeter;
    this.#greetingTimer = setTimeout(() => this.#connection?.terminate(), GREETING_MS);
    this.#connection = this.options.transport(this.options.url, "postroad.v1", {
      opened: () => mine() && void this.#greet(greeter),
      message: (data) => mine() && this.#received(data),
      alive: () => greeter.heard(),
      closed: (code, reason, cause) => mine() && this.#lost(code, reason, cause),
    });
  }

  async #greet(greeter: Greeter): Promise<void> {
    try {
      const welcome = await greeter.greet();
      if (welcome !== undefined && greeter === this.#greeter) this.#welcomed(welcome);
    } catch (thrown) {
      if (greeter !== this.#greeter) return;
      this.#refused = asPostroadError(thrown);
      this.#connection?.close(1000, "not greeted");
    }
  }

  #welcomed(header: Header): void {
    clearTimeout(this.#greetingTimer);
    const told = fromWire<Partial<Welcome>>(header);
    const welcome = Object.freeze({ ...told, limits: Object.freeze({ ...DEFAULT_LIMITS, ...told.limits }) }) as Welcome;
    const opening = this.#session.welcomed(welcome, Date.now());
    for (const participant of [...this.#participants]) participant.opened(opening);
    if (this.#renewsSession) {
      const connection = this.#connection;
      this.#lost(1000, "A new producer session begins.", undefined);
      connection?.close(1000, "new session");
      return;
    }
    this.#pending.opened();
    this.#notify();
    for (const { resolve } of this.#ready.splice(0)) resolve(welcome);
  }

  #received(data: string | Uint8Array): void {
    this.#greeter?.heard();
    try {
      this.#dispatch(decodeFrame(data));
    } catch (thrown) {
      // Whatever a server sends must not throw into the program: the connection ends and another one begins.
      const reason = thrown instanceof ProtocolViolation ? thrown.message : "A frame could not be understood.";
      this.options.logger.warn(reason, { cause: thrown });
      const connection = this.#connection;
      this.#lost(4002, reason, thrown);
      connection?.close(1002, reason);
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

  #lost(code: number, reason: string, cause: unknown): void {
    this.#dropped();
    const next = this.#session.lost(code, reason, cause, this.#refused, Date.now(), Math.random());
    if (next.kind === "stop") {
      this.#end(next.error);
      return;
    }
    this.#pending.lost(this.lastError);
    this.requests.keepOnly(this.#pending.ids);
    for (const participant of [...this.#participants]) participant.lost();
    this.#retryTimer = setTimeout(() => this.#connect(), this.#renewsSession ? 0 : next.afterMs);
    this.#renewsSession = false;
    this.#notify();
  }

  #dropped(): void {
    this.#connectionNumber++;
    this.#connection = undefined;
    this.#greeter?.end();
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#greetingTimer);
    this.#retryTimer = undefined;
  }

  #end(error: PostroadError): void {
    this.#pending.end(error);
    for (const participant of [...this.#participants]) participant.ended(error);
    this.#participants.clear();
    this.#routes.clear();
    for (const { reject } of this.#ready.splice(0)) reject(error);
    this.#notify();
  }

  #notify(): void {
    for (const listener of [...this.#statusListeners]) listener(this.status);
  }
}

const closedError = (): PostroadError => new InvalidState("The client is closed.");
