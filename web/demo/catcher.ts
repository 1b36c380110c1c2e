/**
 * The demo's mail server and the mailbox behind it.
 *
 * Environment: `PORT` (8083), `SMTP_PORT` (2525), `MAIL_DATA` (a folder; without it letters are kept in memory only).
 */
import express, { type Express, type Request } from "express";
import { loopbackOnly } from "./loopback.js";
import { MAILS_MAX, Mailbox } from "./mailbox.js";
import { Problem, problems } from "./problem.js";
import { isMain, listen, onStop } from "./process.js";
import { MODES, type Mode, Smtp } from "./smtp.js";
import { Listeners } from "./sse.js";

/** A mail server, its letters and the app that shows them. */
export interface Catcher {
  readonly app: Express;
  readonly smtp: Smtp;
  close(): Promise<void>;
}

export function createCatcher(folder: string | null): Catcher {
  const box = new Mailbox(folder);
  const listeners = new Listeners();
  const smtp = new Smtp((mail) => {
    const kept = box.add(mail);
    listeners.send("mail", kept, kept.id);
  });

  const app = express();
  app.disable("x-powered-by");
  app.use(loopbackOnly);
  app.use(express.json({ limit: "1kb" }));

  app.get("/health", (_req, res) => {
    res.json({ status: "ok", mode: smtp.mode });
  });

  app.get("/mails", (req, res) => {
    const after = integer(req, "after", null, Number.MAX_SAFE_INTEGER);
    const limit = integer(req, "limit", 50, MAILS_MAX) ?? 50;
    res.json({ mails: box.list(after, limit), total: box.total });
  });

  app.get("/mails/events", (req, res) => {
    listeners.add(req, res, { event: "hello", data: { total: box.total } });
    const after = Number(req.get("last-event-id") ?? Number.NaN);
    if (!Number.isInteger(after)) return;
    for (const mail of box.list(after, MAILS_MAX))
      res.write(`id: ${mail.id}\nevent: mail\ndata: ${JSON.stringify(mail)}\n\n`);
  });

  app.get("/mails/:id", (req, res) => {
    res.json(find(box, req));
  });

  app.get("/mails/:id/html", (req, res) => {
    // The letter was written by a stranger: it gets no scripts, no origin and nothing to load.
    res.set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-popups");
    res.type("html").send(find(box, req).html ?? "");
  });

  app.post("/mode", (req, res) => {
    const mode = (req.body as { mode?: unknown } | undefined)?.mode;
    if (!MODES.includes(mode as Mode)) {
      throw new Problem(400, "invalid-request", "The mode is one of up, down and slow.");
    }
    smtp.mode = mode as Mode;
    listeners.send("mode", { mode });
    res.json({ mode });
  });

  app.use(problems);
  return {
    app,
    smtp,
    async close() {
      listeners.close();
      await smtp.close();
    },
  };
}

function find(box: Mailbox, req: Request): import("./mailbox.js").Mail {
  const mail = box.get(Number(req.params.id));
  if (mail === undefined) throw new Problem(404, "message-not-found", "There is no such letter.");
  return mail;
}

function integer(req: Request, name: string, absent: number | null, max: number): number | null {
  const text = req.query[name];
  if (text === undefined) return absent;
  const value = Number(text);
  if (typeof text !== "string" || !Number.isInteger(value) || value < 0 || value > max) {
    throw new Problem(400, "invalid-request", `${name} is a whole number from 0 to ${max}.`);
  }
  return value;
}

if (isMain(import.meta.url)) {
  const catcher = createCatcher(process.env.MAIL_DATA ?? null);
  await catcher.smtp.listen(Number(process.env.SMTP_PORT ?? 2525));
  const server = await listen(catcher.app, Number(process.env.PORT ?? 8083));
  console.log("ready");
  onStop(async () => {
    server.close();
    await catcher.close();
    server.closeAllConnections();
  });
}
