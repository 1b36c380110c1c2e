/**
 * A broker in memory, for the unit tests of programs that use this client: the real client runs on it, over the wire
 * protocol, without a server, a port or waiting. Its clock stands still until {@link TestBroker.advance}.
 *
 * What it has: queues with retries, backoff, dead letters, delays, expiry, priorities, ordering keys, deduplication,
 * progress, results and followers; streams with retention, groups and readers; topics and bindings; peeking, searching,
 * redriving, editing, replaying, cancelling; watched messages and queue numbers.
 *
 * What it leaves out: durability, limits of bytes and rates (`rateMax`, `bytesMax`, `overflow` other than `reject`,
 * `keepUntilAcked` are refused with `Unsupported`), tokens and rights, schedules, and events (`watchQueue` gives numbers
 * only). A lease does not run out while its connection is there, because the client renews it: {@link TestBroker.expireLeases} ends it.
 */

import { type Client, connect } from "../../client.js";
import { asPostroadError, InvalidRequest, type PostroadError } from "../../errors.js";
import type { ConnectOptions } from "../../options.js";
import { toWire } from "../../protocol/case.js";
import type { Header } from "../../protocol/frame.js";
import { DEFAULT_LIMITS } from "../../protocol/types.js";
import { type MemoryPeer, memoryTransport } from "../../transport/memory.js";
import type { Transport } from "../../transport/transport.js";
import { type ReceivedFrame, receive } from "../wire.js";
import { bind, remove } from "./define.js";
import { Inspector } from "./inspect.js";
import { bodyOf } from "./message.js";
import { operate } from "./operate.js";
import { TestStore } from "./store.js";
import type { TestConnection } from "./subscriber.js";
import { Subscribers } from "./subscribers.js";
import { Readers, Watches } from "./watch.js";

// Taken at load time: test suites replace the global with a fake clock.
const turn = setImmediate;

/** A message as a test looks at it. */
export interface HeldMessage {
  readonly id: string;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string>>;
  readonly state: "ready" | "delayed" | "retrying" | "leased";
  /** Failed attempts. */
  readonly attempts: number;
  /** Why the last one failed, or why it is dead. */
  readonly reason: string | undefined;
  /** When it is delivered next, by the broker's clock. */
  readonly due: number | undefined;
}

export interface TestBrokerOptions {
  /** Where the clock begins, in ms since the epoch. @defaultValue the present */
  readonly now?: number;
}

/** A broker in memory: see {@link TestBroker}. */
export const createTestBroker = (options: TestBrokerOptions = {}): TestBroker => new TestBroker(options);

export class TestBroker {
  /** For `connect(url, { transport: broker.transport })`; the address does not matter. */
  readonly transport: Transport;
  readonly #store: TestStore;
  readonly #inspector: Inspector;
  readonly #readers: Readers;
  readonly #watches: Watches;
  readonly #peers = new Map<TestConnection, MemoryPeer>();
  readonly #subscribers: Subscribers;
  readonly #confirms = new Map<string, Map<number, Header>>();
  #connections = 0;
  #frames = 0;
  #wake: (() => void)[] = [];

  /** @internal */
  constructor({ now = Date.now() }: TestBrokerOptions) {
    this.#store = new TestStore(now);
    this.#subscribers = new Subscribers(this.#store);
    this.#inspector = new Inspector(this.#store, (group) => this.#subscribers.of(group));
    this.#readers = new Readers(this.#store);
    this.#watches = new Watches(this.#store, this.#inspector);
    this.transport = memoryTransport((peer) => this.#accept(peer));
  }

  /** The broker's clock, in ms since the epoch. */
  get now(): number {
    return this.#store.now;
  }

  /** A client of this broker. Close it at the end of the test: `await using mq = broker.connect()`. */
  connect(options: Omit<ConnectOptions, "transport"> = {}): Client {
    return connect("ws://test-broker/ws", { ...options, transport: this.transport });
  }

  /**
   * Lets time pass: whatever becomes due on the way happens at its moment and in order, and handlers get their turn in
   * between. A handler that waits for something else than this client (a timer, a file) is not waited for.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#store.now + ms;
    await this.#quiet();
    for (let due = this.#nextDue(); due !== undefined && due <= end; due = this.#nextDue()) {
      this.#store.now = Math.max(this.#store.now, due);
      this.#tick();
      await this.#quiet();
    }
    this.#store.now = end;
    this.#tick();
    await this.#quiet();
  }

  /** Resolved when consumers have nothing to do: nothing is ready for them, and nothing is in hand. */
  async idle(): Promise<void> {
    for (;;) {
      await this.#quiet();
      if (!this.#subscribers.areBusy) return;
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  /** What a queue holds, in order; of a group, name it `<stream>/<group>`. Empty if there is no such queue. */
  messages(queue: string): readonly HeldMessage[] {
    return [...(this.#store.find(queue)?.entries.values() ?? [])].map(
      ({ message, state, attempts, reason, due }): HeldMessage => ({
        id: message.id,
        body: bodyOf(message),
        headers: (message.headers ?? {}) as Record<string, string>,
        ...{ state, attempts, reason, due },
      }),
    );
  }

  /** Ends all leases of a queue, or of `<stream>/<group>`, as if their consumers had hung: an attempt is counted for what had begun. */
  async expireLeases(queue: string): Promise<void> {
    await this.#quiet();
    this.#subscribers.expire(queue);
    this.#pump();
  }

  /** Cuts all connections, as a lost network does; clients come back by themselves. */
  drop(): void {
    for (const peer of [...this.#peers.values()]) peer.close(1006, "");
  }

  #accept(peer: MemoryPeer): boolean {
    const connection: TestConnection = {
      number: ++this.#connections,
      session: "",
      send: (frame) => {
        this.#frames++;
        peer.send(frame instanceof Uint8Array ? frame : JSON.stringify(frame));
      },
    };
    this.#peers.set(connection, peer);
    peer.onMessage = (data) => this.#receive(connection, receive(data));
    peer.onClose = () => this.#closed(connection);
    return true;
  }

  #closed(connection: TestConnection): void {
    this.#peers.delete(connection);
    this.#readers.forget(connection);
    this.#watches.forget(connection);
    this.#subscribers.orphan(connection);
    this.#woken();
  }

  #receive(connection: TestConnection, frame: ReceivedFrame): void {
    this.#frames++;
    const { id } = frame.header;
    try {
      const answer = this.#answer(connection, frame);
      if (id !== undefined) connection.send({ op: "ok", position: this.#store.position, ...answer, id });
    } catch (thrown) {
      const { code, message, retryable, details }: PostroadError = asPostroadError(thrown);
      connection.send({ op: "error", code, message, retryable, ...details, ...(id === undefined ? {} : { id }) });
    }
    this.#pump();
  }

  #answer(connection: TestConnection, frame: ReceivedFrame): Header {
    const { header, op } = frame;
    const store = this.#store;
    switch (op) {
      case "hello":
        return this.#welcome(connection, header);
      case "declare":
        return { created: store.declare(header) };
      case "delete":
        this.#subscribers.end(remove(store, header));
        if (header["group"] === undefined) this.#readers.end(header["stream"]);
        return {};
      case "bind":
      case "unbind":
        return { changed: bind(store, header) };
      case "publish":
        return this.#publish(connection, frame);
      case "consume":
        return this.#subscribers.open(connection, header);
      case "prefetch":
        this.#subscribers.get(connection, header).prefetch = Number(header["prefetch"]);
        return {};
      case "cancel":
        if (!this.#readers.cancel(connection, header))
          this.#subscribers.cancel(this.#subscribers.get(connection, header));
        return {};
      case "settle":
        return this.#subscribers.get(connection, header).settle(store, frame);
      case "read":
        return this.#readers.open(connection, header);
      case "watch":
        return this.#watches.open(connection, header);
      case "unwatch":
        this.#watches.cancel(connection, header);
        return {};
      case "query":
        return this.#inspector.query(header);
      case "operate":
        return operate(store, header, (entry, reason) => this.#subscribers.revoke(entry, reason));
      default:
        throw new InvalidRequest(`There is no op "${op}".`);
    }
  }

  #welcome(connection: TestConnection, { session }: Header): Header {
    connection.session = typeof session === "string" ? session : `connection-${connection.number}`;
    const frames = [...(this.#confirms.get(connection.session)?.keys() ?? [])];
    return {
      ...{ op: "welcome", server: { name: "postroad-test", version: "0" }, protocol: 1, store: "test", epoch: 1 },
      ...{ engine: "test", durability: "memory", capabilities: {}, limits: toWire(DEFAULT_LIMITS) },
      ...{ session: { id: connection.session, last_frame: Math.max(0, ...frames) }, now: this.#store.now },
    };
  }

  #publish({ session }: TestConnection, frame: ReceivedFrame): Header {
    const confirms = this.#confirms.get(session) ?? new Map<number, Header>();
    this.#confirms.set(session, confirms);
    const number = Number(frame.header["frame"] ?? 0);
    const before = confirms.get(number);
    if (number > 0 && before !== undefined) return { ...before, replayed: true };
    const confirm = this.#store.publish(frame);
    if (number > 0) confirms.set(number, confirm);
    return confirm;
  }

  #nextDue(): number | undefined {
    const moments = [this.#store.nextDue(), this.#subscribers.nextDue()].filter((at) => at !== undefined);
    return moments.length === 0 ? undefined : Math.min(...moments);
  }

  #tick(): void {
    this.#subscribers.tick();
    this.#store.tick();
    this.#pump();
  }

  #pump(): void {
    this.#subscribers.pump();
    this.#readers.pump();
    this.#watches.notify();
    this.#woken();
  }

  #woken(): void {
    for (const resolve of this.#wake.splice(0)) resolve();
  }

  /** Waits until nothing was sent or received for some turns of the loop. */
  async #quiet(): Promise<void> {
    let seen = -1;
    while (seen !== this.#frames) {
      seen = this.#frames;
      for (let i = 0; i < 5; i++) await new Promise<void>((resolve) => turn(resolve));
    }
  }
}
