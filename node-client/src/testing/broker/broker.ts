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
import type { TestGroup } from "./group.js";
import { Inspector } from "./inspect.js";
import { bodyOf } from "./message.js";
import { operate } from "./operate.js";
import { checkPattern } from "./pattern.js";
import { TestStore } from "./store.js";
import { type TestConnection, TestSubscriber } from "./subscriber.js";
import { Readers, Watches } from "./watch.js";

/** A lease outlives its connection by this. */
const RESUME_MS = 500;
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
  readonly #subscribers = new Map<string, TestSubscriber>();
  readonly #confirms = new Map<string, Map<number, Header>>();
  #connections = 0;
  #subscriptions = 0;
  #frames = 0;
  #wake: (() => void)[] = [];

  /** @internal */
  constructor({ now = Date.now() }: TestBrokerOptions) {
    this.#store = new TestStore(now);
    this.#inspector = new Inspector(this.#store, (group) => this.#of(group).length);
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
      const busy = [...this.#subscribers.values()].some(
        ({ group, leased, connection }) => leased.size > 0 || (connection !== undefined && group.hasReady),
      );
      if (!busy) return;
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
  expireLeases(queue: string): void {
    for (const subscriber of this.#subscribers.values())
      if (subscriber.group.name === queue) {
        for (const entry of [...subscriber.leased.values()]) {
          subscriber.revoke(entry, "the lease ended");
          this.#store.fail(subscriber.group, entry, { reason: "the lease ended" });
        }
      }
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
    for (const subscriber of this.#subscribers.values())
      if (subscriber.connection === connection) {
        subscriber.connection = undefined;
        subscriber.endsAt = this.#store.now + RESUME_MS;
      }
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
        return this.#delete(header);
      case "bind":
      case "unbind":
        return { changed: this.#bind(header) };
      case "publish":
        return this.#publish(connection, frame);
      case "consume":
        return this.#consume(connection, header);
      case "prefetch":
        this.#subscriber(connection, header).prefetch = Number(header["prefetch"]);
        return {};
      case "cancel":
        if (!this.#readers.cancel(connection, header)) this.#cancel(this.#subscriber(connection, header));
        return {};
      case "settle":
        return this.#subscriber(connection, header).settle(store, frame);
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
        return operate(store, header, (entry, reason) => {
          for (const subscriber of this.#subscribers.values()) subscriber.revoke(entry, reason);
        });
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

  #consume(connection: TestConnection, header: Header): Header {
    const { queue, stream, group: name, from, resume } = header;
    const declare = header["declare"] !== false;
    const group =
      typeof stream === "string"
        ? this.#store.group(stream, String(name), declare, from)
        : this.#store.queue(String(queue), declare);
    const before = typeof resume === "string" ? this.#subscribers.get(resume) : undefined;
    const subscriber = before ?? new TestSubscriber(`s${++this.#subscriptions}`, group, connection, header);
    const lost = subscriber.resume(connection, header);
    this.#subscribers.set(subscriber.id, subscriber);
    return {
      ...{ subscription: subscriber.id, lease_ms: group.settings.lease_ms },
      ...(lost.length > 0 ? { lost } : {}),
    };
  }

  #cancel(subscriber: TestSubscriber): void {
    subscriber.isCancelled = true;
    for (const [number, entry] of [...subscriber.leased])
      if (number > subscriber.begun) {
        subscriber.leased.delete(number);
        subscriber.group.release(entry);
      }
  }

  #delete({ queue, stream, group }: Header): Header {
    const store = this.#store;
    const gone = new Set<TestGroup>();
    if (typeof stream === "string") {
      const log = store.stream(stream, false);
      for (const [name, one] of [...log.groups])
        if (group === undefined || group === name) {
          gone.add(one);
          log.groups.delete(name);
        }
      if (group === undefined) {
        store.streams.delete(stream);
        this.#readers.end(stream);
      }
    } else {
      gone.add(store.queue(String(queue), false));
      store.queues.delete(String(queue));
    }
    for (const [id, subscriber] of [...this.#subscribers]) {
      if (!gone.has(subscriber.group)) continue;
      this.#subscribers.delete(id);
      const { sub, connection } = subscriber;
      connection?.send({ op: "end", sub, code: "queue-not-found", message: "It was deleted.", retryable: false });
    }
    return {};
  }

  #bind({ op, topic, queue, stream, headers }: Header): boolean {
    const store = this.#store;
    const target =
      typeof stream === "string"
        ? { stream: store.stream(stream, false).name }
        : { queue: store.queue(String(queue), false).name };
    const filter = headers === undefined ? {} : { headers: { match: "all", ...(headers as Header) } };
    const binding = { topic: checkPattern(String(topic)), ...target, ...filter };
    const index = store.bindings.findIndex((one) => JSON.stringify(one) === JSON.stringify(binding));
    if (op === "bind" && index < 0) store.bindings.push(binding);
    if (op === "unbind" && index >= 0) store.bindings.splice(index, 1);
    return (op === "bind") === index < 0;
  }

  #subscriber(connection: TestConnection, { sub }: Header): TestSubscriber {
    for (const subscriber of this.#subscribers.values())
      if (subscriber.connection === connection && subscriber.sub === sub) return subscriber;
    throw new InvalidRequest("There is no such subscription.", { details: { field: "sub" } });
  }

  #of(group: TestGroup): TestSubscriber[] {
    return [...this.#subscribers.values()].filter(
      (one) => one.group === group && one.connection !== undefined && !one.isCancelled,
    );
  }

  #nextDue(): number | undefined {
    const ends = [...this.#subscribers.values()].flatMap(({ endsAt }) => endsAt ?? []);
    const due = this.#store.nextDue();
    return ends.length === 0 && due === undefined ? undefined : Math.min(...ends, ...(due === undefined ? [] : [due]));
  }

  #tick(): void {
    for (const [id, subscriber] of [...this.#subscribers])
      if (subscriber.endsAt !== undefined && subscriber.endsAt <= this.#store.now) {
        subscriber.endLeases(this.#store, "the connection was lost");
        this.#subscribers.delete(id);
      }
    this.#store.tick();
    this.#pump();
  }

  #pump(): void {
    for (const subscriber of this.#subscribers.values()) subscriber.pump(this.#store.now);
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
