/**
 * The demo's Express API: it answers a sign-up as soon as the broker has it, and leaves the mail to a worker.
 *
 * Environment: `PORT` (8081), `POSTROAD_URL` (ws://127.0.0.1:7070/ws).
 */
import express, { type Express } from "express";
import { type Client, connect } from "postroad";
import { closeOnSignals, health, postroad } from "postroad/express";
import { loopbackOnly } from "./loopback.js";
import { Problem, problems } from "./problem.js";
import { isMain, listen } from "./process.js";
import { parseCount, parseSignUp, person, QUEUE, type SignUp } from "./signup.js";

/** How many ids a bulk sign-up answers with. */
const BULK_IDS_MAX = 20;
/** How many confirmed addresses are remembered. */
const VERIFIED_MAX = 10_000;

/** The API over a client; the caller listens and closes. */
export function createApi(mq: Client): Express {
  const verified = new Set<string>();
  const app = express();
  app.disable("x-powered-by");
  app.use(loopbackOnly);
  app.use(express.json({ limit: "16kb" }));
  app.use(postroad(mq));

  const link = (req: express.Request): string => `http://${req.headers.host ?? "127.0.0.1"}/verify`;

  app.get("/health", health(mq));

  app.post("/signups", async (req, res) => {
    const signUp = parseSignUp(req.body);
    const dedupKey = idempotencyKey(
      req.get("idempotency-key") ?? (req.body as { idempotencyKey?: unknown }).idempotencyKey,
    );
    const { id, watch } = await req.mq
      .queue<SignUp>(QUEUE)
      .publish({ ...signUp, verify: link(req) }, dedupKey === null ? {} : { dedupKey });
    res.status(202).json({ id, watch });
  });

  app.post("/signups/bulk", async (req, res) => {
    const count = parseCount(req.body);
    const verify = link(req);
    const emails = req.mq.queue<SignUp>(QUEUE);
    // All of them are published in one tick: the client makes a single frame of them, the broker a single record.
    const confirms = await Promise.all(
      Array.from({ length: count }, (_, n) => emails.publish({ ...person(n), verify })),
    );
    const [first] = confirms;
    res.status(202).json({
      count,
      ids: confirms.slice(0, BULK_IDS_MAX).map((confirm) => confirm.id),
      first: first === undefined ? null : { id: first.id, watch: first.watch },
    });
  });

  app.get("/verify/:id", (req, res) => {
    remember(verified, req.params.id);
    res
      .type("html")
      .send("<!doctype html><title>Confirmed</title><p>Your address is confirmed. You can close this page.</p>");
  });
  app.post("/verify/:id", (req, res) => {
    remember(verified, req.params.id);
    res.json({ verified: true });
  });

  app.use(() => {
    throw new Problem(404, "not-found", "There is nothing here.");
  });
  app.use(problems);
  return app;
}

function remember(verified: Set<string>, id: string): void {
  verified.add(id.slice(0, 100));
  if (verified.size > VERIFIED_MAX) for (const oldest of verified) return void verified.delete(oldest);
}

/** The application's own key, when the caller wants a repeated request to be the same sign-up. */
function idempotencyKey(value: unknown): string | null {
  if (value === undefined || value === null || value === "") return null;
  if (typeof value === "string" && Buffer.byteLength(value) <= 200) return value;
  const detail = "At most 200 bytes of text.";
  throw new Problem(400, "invalid-request", detail, { errors: [{ field: "idempotencyKey", detail }] });
}

if (isMain(import.meta.url)) {
  const mq = connect(process.env.POSTROAD_URL ?? "ws://127.0.0.1:7070/ws", {
    reconnect: { minMs: 100, maxMs: 500 }, // the broker is next door, and visitors kill it
  });
  const server = await listen(createApi(mq), Number(process.env.PORT ?? 8081));
  closeOnSignals(server, mq);
  await mq.ready();
  console.log("ready");
}
