/**
 * One worker: takes sign-ups from the queue and mails a welcome.
 *
 * A return is an ack with a result, a throw is a nack: the broker retries with backoff and keeps what never works
 * in `emails.dead`. Nothing here knows about retries.
 *
 * Environment: `WORKER_NAME`, `POSTROAD_URL`, `SMTP_URL`, `CONCURRENCY` (5), `WORK_MS` (1200: how long one letter
 * takes, so that a visitor can follow it).
 */
import { setTimeout as pause } from "node:timers/promises";
import { createTransport } from "nodemailer";
import { connect } from "postroad";
import { welcome } from "./letter.js";
import { onStop } from "./process.js";
import { QUEUE, type SignUp } from "./signup.js";

const name = process.env.WORKER_NAME ?? `worker-${process.pid}`;
const concurrency = Number(process.env.CONCURRENCY ?? 5);
const workMs = Number(process.env.WORK_MS ?? 1200);
const mailer = createTransport({
  url: process.env.SMTP_URL ?? "smtp://127.0.0.1:2525",
  connectionTimeout: 3_000,
  greetingTimeout: 10_000,
  socketTimeout: 10_000,
});
const mq = connect(process.env.POSTROAD_URL ?? "ws://127.0.0.1:7070/ws", {
  reconnect: { minMs: 100, maxMs: 500 }, // the broker is next door, and visitors kill it
});

const consumer = mq.queue<SignUp>(QUEUE).consume(
  async (message) => {
    await message.progress(30, "rendering");
    const mail = welcome(message.id, message.body);
    await pause(workMs / 2);
    await message.progress(60, "sending");
    await pause(workMs / 2);
    const sent = await mailer.sendMail(mail);
    await message.progress(100, "sent");
    return { messageId: sent.messageId };
  },
  { concurrency, name },
);
await mq.ready();
console.log("ready");

onStop(async () => {
  await consumer.close();
  mailer.close();
  await mq.close();
});
