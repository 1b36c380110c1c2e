import type { NextFunction, Request, Response } from "express";

const HOSTS = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Whether an `Origin` header names a page served from this machine. */
export function isLoopbackOrigin(origin: string): boolean {
  try {
    const url = new URL(origin);
    return (url.protocol === "http:" || url.protocol === "https:") && HOSTS.has(url.hostname);
  } catch {
    return false;
  }
}

/** Whether a `Host` header names this machine: what keeps a rebound DNS name out. */
export function isLoopbackHost(host: string | undefined): boolean {
  return host !== undefined && isLoopbackOrigin(`http://${host}`);
}

/** Allows pages of this machine to call in, and refuses every other origin and host. */
export function loopbackOnly(req: Request, res: Response, next: NextFunction): void {
  const origin = req.headers.origin;
  if (!isLoopbackHost(req.headers.host) || (origin !== undefined && !isLoopbackOrigin(origin))) {
    res.status(403).json({ code: "not-allowed", detail: "Only pages served from this machine may call the demo." });
    return;
  }
  if (origin !== undefined) {
    res.set({
      "Access-Control-Allow-Origin": origin,
      "Access-Control-Allow-Headers": "content-type, idempotency-key",
      "Access-Control-Allow-Methods": "GET, POST, DELETE",
      "Access-Control-Max-Age": "600",
      Vary: "Origin",
    });
  }
  if (req.method === "OPTIONS") {
    res.status(204).end();
    return;
  }
  next();
}
