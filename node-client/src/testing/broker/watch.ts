/** Who follows streams, messages and queues' numbers. */
import { QueueNotFound } from "../../errors.js";
import type { Header } from "../../protocol/frame.js";
import { deliverFrame } from "../wire.js";
import type { Inspector } from "./inspect.js";
import type { TestStore } from "./store.js";
import type { TestStream } from "./stream.js";
import type { TestConnection } from "./subscriber.js";

interface Reading {
  readonly connection: TestConnection;
  readonly sub: number;
  readonly stream: TestStream;
  offset: number;
}

export class Readers {
  readonly #store: TestStore;
  #open: Reading[] = [];

  constructor(store: TestStore) {
    this.#store = store;
  }

  open(connection: TestConnection, { sub, stream: name, from }: Header): Header {
    const stream = this.#store.stream(String(name), false);
    const offset = stream.offsetOf(from);
    this.#open.push({ connection, sub: Number(sub), stream, offset });
    return { offset };
  }

  cancel(connection: TestConnection, { sub }: Header): boolean {
    const before = this.#open.length;
    this.#open = this.#open.filter((one) => one.connection !== connection || one.sub !== sub);
    return this.#open.length < before;
  }

  forget(connection: TestConnection): void {
    this.#open = this.#open.filter((one) => one.connection !== connection);
  }

  /** The stream was deleted. */
  end(name: unknown): void {
    for (const { connection, sub } of this.#open.filter(({ stream }) => stream.name === name))
      connection.send({ op: "end", sub, code: "queue-not-found", message: "It was deleted.", retryable: false });
    this.#open = this.#open.filter(({ stream }) => stream.name !== name);
  }

  pump(): void {
    for (const reading of this.#open) {
      const { stream, connection, sub } = reading;
      const trimmed = reading.offset < stream.earliest ? stream.earliest : undefined;
      const first = Math.max(reading.offset, stream.earliest);
      const messages = stream.kept
        .slice(first - stream.earliest)
        .map((message, index) => ({ ...message, sequence: first + index, attempt: 1 }));
      if (messages.length === 0) continue;
      reading.offset = stream.next;
      connection.send(deliverFrame(sub, undefined, messages, trimmed));
    }
  }
}

interface Watching {
  readonly connection: TestConnection;
  readonly sub: unknown;
  readonly state: () => Header;
  last: string;
}

export class Watches {
  readonly #store: TestStore;
  readonly #inspector: Inspector;
  #open: Watching[] = [];

  constructor(store: TestStore, inspector: Inspector) {
    this.#store = store;
    this.#inspector = inspector;
  }

  open(connection: TestConnection, { sub, queue, stream, group, message }: Header): Header {
    const state = (): Header => {
      if (typeof message === "string") {
        const logs = this.#inspector.logs(message);
        return { message: this.#inspector.message(message, false), ...(logs.length > 0 ? { logs } : {}) };
      }
      if (typeof stream === "string") return this.#ofStream(stream, group);
      if (typeof queue !== "string") return { queues: this.#inspector.queues(), streams: this.#inspector.streams() };
      const found = this.#store.queues.get(queue);
      if (found === undefined) throw new QueueNotFound(`There is no queue named "${queue}".`);
      return { queue: this.#inspector.stats(found) };
    };
    const now = state();
    this.#open.push({ connection, sub, state, last: JSON.stringify(now) });
    return now;
  }

  cancel(connection: TestConnection, { sub }: Header): void {
    this.#open = this.#open.filter((one) => one.connection !== connection || one.sub !== sub);
  }

  forget(connection: TestConnection): void {
    this.#open = this.#open.filter((one) => one.connection !== connection);
  }

  #ofStream(name: string, group: unknown): Header {
    const stream = this.#store.streams.get(name);
    if (stream === undefined) throw new QueueNotFound(`There is no stream named "${name}".`);
    if (typeof group !== "string") return { stream: this.#inspector.stream(stream) };
    const found = stream.groups.get(group);
    if (found === undefined) throw new QueueNotFound(`There is no queue named "${name}/${group}".`);
    return { queue: this.#inspector.group(stream, found) };
  }

  /** Sends what has changed. */
  notify(): void {
    for (const watching of [...this.#open]) {
      try {
        const state = watching.state();
        const text = JSON.stringify(state);
        if (text === watching.last) continue;
        watching.last = text;
        watching.connection.send({ op: "state", sub: watching.sub, ...state });
      } catch (error) {
        if (!(error instanceof QueueNotFound)) throw error;
        const { code, message, retryable } = error;
        this.#open = this.#open.filter((one) => one !== watching);
        watching.connection.send({ op: "end", sub: watching.sub, code, message, retryable });
      }
    }
  }
}
