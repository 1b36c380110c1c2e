/** Postroad in an Express app, version 4 or 5. */
import type { Server } from "node:http";
import type { NextFunction, Request, RequestHandler, Response } from "express";
import type { Client } from "../client.js";

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace
  namespace Express {
    interface Request {
      /** The client given to `postroad(mq)`. */
      mq: Client;
    }
  }
}

/** Puts the client on each request, as `req.mq`. */
export function postroad(mq: Client): RequestHandler {
  return (req: Request, _res: Response, next: NextFunction) => {
    req.mq = mq;
    next();
  };
}

/** Answers 200 while the queue can be reached, and 503 while it cannot: for readiness checks. */
export function health(mq: Client): RequestHandler {
  return (_req: Request, res: Response) => {
    const { status, error } = mq;
    res.status(status === "open" ? 200 : 503);
    res.set("cache-control", "no-store");
    res.json({ status, ...(error === undefined ? {} : { error: error.code }) });
  };
}

export interface CloseOnSignalsOptions {
  /** @defaultValue `["SIGINT", "SIGTERM"]` */
  readonly signals?: readonly NodeJS.Signals[];
  /** How long requests and handlers may take to finish. @defaultValue 10,000 */
  readonly timeoutMs?: number;
  /** Called when everything is closed. @defaultValue ends the process with code 0 */
  readonly onClosed?: () => void;
}

/**
 * On a signal: takes no new requests, lets running ones finish, drains the client, ends the process.
 *
 * @returns what takes the listeners away again.
 */
export function closeOnSignals(server: Server, mq: Client, options: CloseOnSignalsOptions = {}): () => void {
  const { signals = ["SIGINT", "SIGTERM"], timeoutMs = 10_000, onClosed = () => process.exit(0) } = options;
  let isClosing = false;
  const close = (): void => {
    if (isClosing) return;
    isClosing = true;
    void shutDown(server, mq, timeoutMs).finally(onClosed);
  };
  for (const signal of signals) process.on(signal, close);
  return () => {
    for (const signal of signals) process.off(signal, close);
  };
}

async function shutDown(server: Server, mq: Client, timeoutMs: number): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), timeoutMs);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  clearTimeout(cut);
  // Requests may have published until now, so the client goes last.
  await mq.close({ drain: true, timeoutMs });
}
