import { type IncomingMessage, request } from "node:http";
import type { Request, Response } from "express";

/** Passes a GET on to another server of the demo, so that the page needs to know only one address. */
export function passOn(base: string) {
  return (req: Request, res: Response): void => {
    const onward = request(`${base}${req.originalUrl}`, { headers: pick(req) }, (answer: IncomingMessage) => {
      res.status(answer.statusCode ?? 502);
      for (const name of ["content-type", "cache-control", "content-security-policy"]) {
        const value = answer.headers[name];
        if (value !== undefined) res.setHeader(name, value);
      }
      res.flushHeaders();
      answer.pipe(res);
    });
    onward.on("error", () => {
      if (res.headersSent) res.destroy();
      else res.status(502).json({ code: "unavailable", detail: "The mailbox does not answer.", retryable: true });
    });
    res.on("close", () => onward.destroy());
    onward.end();
  };
}

function pick(req: Request): Record<string, string> {
  const id = req.get("last-event-id");
  return { accept: req.get("accept") ?? "*/*", ...(id === undefined ? {} : { "last-event-id": id }) };
}
