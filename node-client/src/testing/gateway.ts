/**
 * A programmable gateway for tests: it speaks the protocol, keeps queues in memory, and does what a test tells it to.
 *
 * It is not a broker: no leases run out, nothing is delayed, every nack comes back at once unless it is dead.
 */

import { toWire } from "../protocol/case.js";
import type { Header } from "../protocol/frame.js";
import { parseRanges, type Range } from "../protocol/ranges.js";
import { DEFAULT_LIMITS } from "../protocol/types.js";
import { memoryTransport } from "../transport/memory.js";
import type { Transport } from "../transport/transport.js";
import { deliverFrame, type FakeMessage, type ReceivedFrame, readPublish, receive } from "./wire.js";

/** What a test may answer to a request: the reply's fields, an error, or nothing at all. */
export type FakeReply = Header | "silence";
export type FakeHandler = (frame: ReceivedFrame, connection: FakeConnection) => FakeReply | undefined;

/** One accepted connection. */
export interface FakeConnection {
  readonly number: number;
  send(frame: Header | Uint8Array | string): void;
  close(code: number, reason: string): void;
}

interface Subscription {
  readonly connection: FakeConnection;
  readonly sub: number;
  readonly queue: string;
  readonly id: string;
  prefetch: number;
  isCancelled: boolean;
  readonly leased: Map<number, FakeMessage>;
}

interface Watching {
  readonly connection: FakeConnection;
  readonly sub: number;
}

export class FakeGateway {
  /** For `connect(url, { transport: gateway.transport })`. */
  readonly transport: Transport;
  /** Everything that clients sent, in order. */
  readonly received: ReceivedFrame[] = [];
  readonly acked: string[] = [];
  readonly dead: string[] = [];
  /** The data set's name; change it to be another broker. */
  store = "store-1";
  leaseMs = 30_000;
  limits: Record<string, number> = toWire(DEFAULT_LIMITS) as Record<string, number>;
  /** Whether new connections are accepted. */
  accepts = true;
  readonly #handlers = new Map<string, FakeHandler>();
  readonly #waiters: {
    match: (frame: ReceivedFrame) => boolean;
    resolve: (frame: ReceivedFrame) => void;
    from: number;
  }[] = [];
  readonly #connections = new Set<FakeConnection>();
  readonly #queues = new Map<string, FakeMessage[]>();
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #numbers = new Map<string, number>();
  readonly #watches: Watching[] = [];
  readonly #confirms = new Map<string, Map<number, Header>>();
  #position = 0;
  #connectionCount = 0;
  #subscriptionCount = 0;

  constructor() {
    this.transport = memoryTransport((peer) => {
      if (!this.accepts) return false;
      const connection = this.accept(
        (data) => peer.send(data),
        (code, reason) => peer.close(code, reason),
      );
      peer.onMessage = (data) => this.receive(connection, data);
      peer.onClose = () => this.closed(connection);
      return true;
    });
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** How often clients connected. */
  get connected(): number {
    return this.#connectionCount;
  }

  /** Answers requests of an op by `handler`, as far as it returns something. Call what this returns to end that. */
  on(op: string, handler: FakeHandler): () => void {
    this.#handlers.set(op, handler);
    return () => {
      if (this.#handlers.get(op) === handler) this.#handlers.delete(op);
    };
  }

  /** The frames of an op that were received so far. */
  frames(op: string): ReceivedFrame[] {
    return this.received.filter((frame) => frame.op === op);
  }

  /** The next frame of an op that nobody has waited for, also if it was received before. */
  next(op: string, match: (frame: ReceivedFrame) => boolean = () => true): Promise<ReceivedFrame> {
    const fits = (frame: ReceivedFrame): boolean => frame.op === op && !this.#taken.has(frame) && match(frame);
    const found = this.received.find(fits);
    if (found !== undefined) {
      this.#taken.add(found);
      return Promise.resolve(found);
    }
    return new Promise((resolve) => this.#waiters.push({ match: fits, resolve, from: this.received.length }));
  }

  readonly #taken = new WeakSet<ReceivedFrame>();

  /** Sends a frame to every connection. */
  send(frame: Header | Uint8Array | string): void {
    for (const connection of this.#connections) connection.send(frame);
  }

  /** Sends a frame to every watch. */
  notify(op: "event" | "state", fields: Header): void {
    for (const { connection, sub } of this.#watches) connection.send({ op, sub, ...fields });
  }

  /** Ends every connection, as a lost network does. */
  drop(code: number = 1006, reason: string = ""): void {
    for (const connection of [...this.#connections]) connection.close(code, reason);
  }

  /** Tells the consumers of a queue that leases have ended. */
  revoke(queue: string, numbers: readonly Range[], reason: string = "cancelled"): void {
    for (const { connection, sub } of this.#of(queue)) connection.send({ op: "revoked", sub, numbers, reason });
  }

  /** @internal */
  accept(
    send: (data: string | Uint8Array<ArrayBuffer>) => void,
    close: (code: number, reason: string) => void,
  ): FakeConnection {
    const connection: FakeConnection = {
      number: ++this.#connectionCount,
      send: (frame) =>
        send(typeof frame === "string" || frame instanceof Uint8Array ? (frame as string) : JSON.stringify(frame)),
      close,
    };
    this.#connections.add(connection);
    return connection;
  }

  /** @internal */
  closed(connection: FakeConnection): void {
    this.#connections.delete(connection);
    for (let i = this.#watches.length - 1; i >= 0; i--)
      if (this.#watches[i]?.connection === connection) this.#watches.splice(i, 1);
  }

  /** @internal */
  receive(connection: FakeConnection, data: string | Uint8Array): void {
    const frame = receive(data);
    this.received.push(frame);
    const index = this.#waiters.findIndex(({ match }) => match(frame));
    const [waiter] = index >= 0 ? this.#waiters.splice(index, 1) : [];
    if (waiter !== undefined) {
      this.#taken.add(frame);
      waiter.resolve(frame);
    }
    const reply = this.#handlers.get(frame.op)?.(frame, connection) ?? this.#answer(frame, connection);
    if (reply === "silence" || reply === undefined || frame.header["id"] === undefined) return;
    connection.send({ op: "ok", position: this.#position, ...reply, id: frame.header["id"] });
    if (frame.op === "publish" || frame.op === "consume" || frame.op === "settle" || frame.op === "prefetch")
      this.#pump();
  }

  #answer(frame: ReceivedFrame, connection: FakeConnection): FakeReply {
    const { header } = frame;
    switch (frame.op) {
      case "hello":
        return this.#welcome(header);
      case "declare":
        return { created: true };
      case "publish":
        return this.#publish(frame);
      case "consume":
        return this.#consume(header, connection);
      case "prefetch":
        for (const subscription of this.#subscriptions.values()) {
          if (subscription.connection === connection && subscription.sub === header["sub"])
            subscription.prefetch = Number(header["prefetch"]);
        }
        return {};
      case "cancel":
        for (const subscription of this.#subscriptions.values()) {
          if (subscription.connection === connection && subscription.sub === header["sub"])
            subscription.isCancelled = true;
        }
        return {};
      case "settle":
        return this.#settle(header, connection);
      case "watch":
        this.#watches.push({ connection, sub: Number(header["sub"]) });
        return typeof header["queue"] === "string" ? { queue: this.stats(header["queue"]) } : {};
      case "unwatch": {
        const index = this.#watches.findIndex(
          (watching) => watching.connection === connection && watching.sub === header["sub"],
        );
        if (index >= 0) this.#watches.splice(index, 1);
        return {};
      }
      case "query":
        return { queues: [...this.#queues.keys()].map((name) => this.stats(name)) };
      case "operate":
        return { count: 0 };
      default:
        return { op: "error", code: "invalid-request", message: `There is no op "${frame.op}".`, retryable: false };
    }
  }

  /** A queue's numbers, as on the wire. */
  stats(name: string): Header {
    const leased = this.#of(name).reduce((sum, subscription) => sum + subscription.leased.size, 0);
    return {
      name,
      ready: this.#queue(name).length,
      delayed: 0,
      retrying: 0,
      leased,
      consumers: this.#of(name).length,
      paused: false,
      published_total: 0,
      acked_total: this.acked.length,
      dead_total: this.dead.length,
      rate_published: 0,
      rate_acked: 0,
      oldest_ms: null,
      bytes: 0,
    };
  }

  #welcome(header: Header): Header {
    const session = typeof header["session"] === "string" ? header["session"] : "";
    const frames = [...(this.#confirms.get(`${this.store} ${session}`)?.keys() ?? [])];
    return {
      op: "welcome",
      server: { name: "fake", version: "0" },
      protocol: 1,
      store: this.store,
      epoch: 1,
      engine: "memory",
      durability: "memory",
      capabilities: {},
      limits: this.limits,
      session: { id: session, last_frame: Math.max(0, ...frames) },
      now: Date.now(),
    };
  }

  #publish(frame: ReceivedFrame): Header {
    const { header } = frame;
    const key = `${this.store} ${this.#session}`;
    const confirms = this.#confirms.get(key) ?? new Map<number, Header>();
    this.#confirms.set(key, confirms);
    const number = Number(header["frame"] ?? 0);
    const before = confirms.get(number);
    if (number > 0 && before !== undefined) return { ...before, replayed: true };
    const position = ++this.#position;
    const messages = readPublish(frame);
    const queue = this.#queue(String(header["queue"]));
    messages.forEach((message, index) => {
      queue.push({
        ...message,
        id: `1-${position}-${index}`,
        sequence: position * 10_000 + index,
        publishedAt: Date.now(),
      });
    });
    const confirm = { position, count: messages.length, id_prefix: `1-${position}-`, watch_key: `key-${position}` };
    if (number > 0) confirms.set(number, confirm);
    return confirm;
  }

  /** The session of the last hello: tests have one producer at a time. */
  get #session(): string {
    const hello = this.received.findLast(({ op }) => op === "hello");
    return String(hello?.header["session"] ?? "");
  }

  #consume(header: Header, connection: FakeConnection): Header {
    const resume = typeof header["resume"] === "string" ? this.#subscriptions.get(header["resume"]) : undefined;
    const id = resume?.id ?? `s${++this.#subscriptionCount}`;
    const leased = new Map<number, FakeMessage>();
    const lost: Range[] = [];
    for (const [number = 0, count = 0] of (header["held"] ?? []) as number[][]) {
      for (let n = number; n < number + count; n++) {
        const message = resume?.leased.get(n);
        if (message === undefined) lost.push([n, n]);
        else leased.set(n, message);
        resume?.leased.delete(n);
      }
    }
    const queue = String(header["queue"]);
    if (resume !== undefined) this.#queue(queue).unshift(...resume.leased.values());
    this.#subscriptions.set(id, {
      connection,
      sub: Number(header["sub"]),
      queue,
      id,
      prefetch: Number(header["prefetch"] ?? 20),
      isCancelled: false,
      leased,
    });
    return { subscription: id, lease_ms: this.leaseMs, ...(lost.length > 0 ? { lost } : {}) };
  }

  #settle(header: Header, connection: FakeConnection): Header {
    const subscription = [...this.#subscriptions.values()].find(
      (one) => one.connection === connection && one.sub === header["sub"],
    );
    if (subscription === undefined)
      return { op: "error", code: "invalid-request", message: "There is no such subscription." };
    const lost: Range[] = [];
    const take = (number: number): FakeMessage | undefined => {
      const message = subscription.leased.get(number);
      if (message === undefined) lost.push([number, number]);
      subscription.leased.delete(number);
      return message;
    };
    const queue = this.#queue(subscription.queue);
    for (const number of numbersOf(header["ack"])) {
      const message = take(number);
      if (message !== undefined) this.acked.push(message.id);
    }
    for (const done of (header["done"] ?? []) as Header[]) {
      const message = take(Number(done["number"]));
      if (message !== undefined) this.acked.push(message.id);
    }
    for (const nack of (header["nack"] ?? []) as Header[]) {
      const message = take(Number(nack["number"]));
      if (message === undefined) continue;
      if (nack["dead"] === true) this.dead.push(message.id);
      else queue.push({ ...message, attempt: message.attempt + 1 });
    }
    for (const number of numbersOf(header["release"])) {
      const message = take(number);
      if (message !== undefined) queue.unshift(message);
    }
    for (const number of numbersOf(header["extend"])) if (!subscription.leased.has(number)) lost.push([number, number]);
    return lost.length > 0 ? { lost } : {};
  }

  #pump(): void {
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.isCancelled || !this.#connections.has(subscription.connection)) continue;
      const messages = this.#queue(subscription.queue).splice(
        0,
        Math.max(0, subscription.prefetch - subscription.leased.size),
      );
      if (messages.length === 0) continue;
      const first = (this.#numbers.get(subscription.id) ?? 0) + 1;
      this.#numbers.set(subscription.id, first + messages.length - 1);
      for (const [index, message] of messages.entries()) subscription.leased.set(first + index, message);
      subscription.connection.send(deliverFrame(subscription.sub, first, messages));
    }
  }

  #of(queue: string): Subscription[] {
    return [...this.#subscriptions.values()].filter(
      (one) => one.queue === queue && this.#connections.has(one.connection),
    );
  }

  #queue(name: string): FakeMessage[] {
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = [];
      this.#queues.set(name, queue);
    }
    return queue;
  }
}

const numbersOf = (ranges: unknown): number[] =>
  parseRanges(ranges).flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, index) => first + index));
