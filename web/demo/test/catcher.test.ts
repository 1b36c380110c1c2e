import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTransport } from "nodemailer";
import { expect, it, onTestFinished } from "vitest";
import { type Catcher, createCatcher } from "../catcher.js";
import { welcome } from "../letter.js";
import { call, follow, nextEvent, serve } from "./support.js";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "catcher-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

interface SetUp {
  readonly url: string;
  readonly catcher: Catcher;
  send(id: string, name?: string): Promise<unknown>;
}

async function setUp(data: string | null = null): Promise<SetUp> {
  const catcher = createCatcher(data);
  onTestFinished(() => catcher.close());
  const port = await catcher.smtp.listen(0);
  const mailer = createTransport({ host: "127.0.0.1", port, secure: false });
  const url = await serve(catcher.app);
  return {
    url,
    catcher,
    send: (id, name = "Ada Lovelace") =>
      mailer.sendMail(welcome(id, { name, email: "ada@example.org", verify: "http://127.0.0.1:8081/verify" })),
  };
}

it("keeps a letter with the id of the message that asked for it", async () => {
  const { url, send } = await setUp();

  await send("3-t1-0");

  const { json } = await call("GET", `${url}/mails`);
  expect(json.total).toBe(1);
  expect(json.mails).toEqual([
    expect.objectContaining({ id: 1, to: "ada@example.org", subject: "Welcome, Ada", message: "3-t1-0" }),
  ]);
  expect(json.mails[0].text).toContain("http://127.0.0.1:8081/verify/3-t1-0");
});

it("lists what came after a letter, oldest first, and no more than was asked for", async () => {
  const { url, send } = await setUp();
  for (const id of ["a", "b", "c", "d"]) await send(id);

  const { json } = await call("GET", `${url}/mails?after=1&limit=2`);

  expect(json.mails.map((mail: { message: string }) => mail.message)).toEqual(["b", "c"]);
});

it.each(["after=-1", "limit=x", "limit=2001"])("refuses %s", async (query) => {
  const { url } = await setUp();

  expect(await call("GET", `${url}/mails?${query}`)).toMatchObject({ status: 400, json: { code: "invalid-request" } });
});

it("tells listeners of a letter, and a returning listener of those it missed", async () => {
  const { url, send } = await setUp();
  const live = await follow(`${url}/mails/events`);
  await nextEvent(live, "hello");

  await send("first");
  const event = await nextEvent(live, "mail");
  await send("second");
  const later = await follow(`${url}/mails/events`, { "last-event-id": event.id ?? "" });

  expect(event).toMatchObject({ id: "1", data: { message: "first" } });
  expect(await nextEvent(later, "mail")).toMatchObject({ id: "2", data: { message: "second" } });
});

it("answers 421 while it is broken, keeps nothing of it, and takes letters again when mended", async () => {
  const { url, send } = await setUp();
  await call("POST", `${url}/mode`, { mode: "down" });

  await expect(send("refused")).rejects.toMatchObject({ responseCode: 421 });
  await call("POST", `${url}/mode`, { mode: "up" });
  await send("taken");

  const { json } = await call("GET", `${url}/mails`);
  expect(json.mails.map((mail: { message: string }) => mail.message)).toEqual(["taken"]);
});

it("knows three modes", async () => {
  const { url } = await setUp();

  expect(await call("POST", `${url}/mode`, { mode: "sideways" })).toMatchObject({ status: 400 });
});

it("shows a letter's HTML without any right to run, load or read something", async () => {
  const { url, send } = await setUp();
  await send("x", "<script>alert(1)</script>");

  const answer = await fetch(`${url}/mails/1/html`);

  expect(answer.headers.get("content-security-policy")).toMatch(/^default-src 'none'.*sandbox/);
  expect(await answer.text()).not.toContain("<script>");
});

it("has its letters again after a restart", async () => {
  const data = folder();
  const before = await setUp(data);
  await before.send("kept");
  await before.catcher.close();

  const { url } = await setUp(data);

  const { json } = await call("GET", `${url}/mails`);
  expect(json).toMatchObject({ total: 1, mails: [{ id: 1, message: "kept" }] });
});
