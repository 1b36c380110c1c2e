import { afterEach } from "vitest";
import { type Client, connect } from "../src/index.js";
import type { ConnectOptions } from "../src/options.js";
import { FakeGateway } from "../src/testing/index.js";

const clients: Client[] = [];
const QUIET = { debug: () => {}, warn: () => {}, error: () => {} };

/** A client of a fake gateway; it is closed after the test. */
export function client(gateway: FakeGateway, options: ConnectOptions = {}): Client {
  const mq = connect("ws://fake/ws", {
    transport: gateway.transport,
    reconnect: { minMs: 1, maxMs: 5 },
    logger: QUIET,
    ...options,
  });
  clients.push(mq);
  return mq;
}

afterEach(async () => {
  await Promise.all(clients.splice(0).map((mq) => mq.close({ drain: false })));
});

export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
}

export function deferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** Resolved when the client has that status. */
export function reaches(mq: Client, status: Client["status"]): Promise<void> {
  if (mq.status === status) return Promise.resolve();
  return new Promise((resolve) => {
    const stop = mq.onStatus((now) => {
      if (now !== status) return;
      stop();
      resolve();
    });
  });
}

export { FakeGateway };
