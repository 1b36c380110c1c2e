import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { Mailbox } from "../mailbox.js";

const letter = (message: string) => ({ at: 1, from: "a", to: "b", subject: "c", text: "d", html: null, message });

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "mailbox-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

it("throws the oldest letters away beyond its bound and counts on", () => {
  const box = new Mailbox(null, 3);

  for (const message of ["a", "b", "c", "d"]) box.add(letter(message));

  expect(box.list(null, 10).map((mail) => mail.message)).toEqual(["b", "c", "d"]);
  expect(box.total).toBe(4);
  expect(box.get(1)).toBeUndefined();
});

it("keeps its file bounded as well", () => {
  const data = folder();
  const box = new Mailbox(data, 3);

  for (let n = 0; n < 50; n++) box.add(letter(String(n)));

  expect(readFileSync(join(data, "mails.jsonl"), "utf8").trim().split("\n").length).toBeLessThan(6);
  expect(new Mailbox(data, 3).list(null, 10).map((mail) => mail.message)).toEqual(["47", "48", "49"]);
});

it("starts without a last line that was cut short, and goes on after it", () => {
  const data = folder();
  new Mailbox(data).add(letter("whole"));
  appendFileSync(join(data, "mails.jsonl"), '{"id":2,"at":1,"fr');

  const again = new Mailbox(data);
  again.add(letter("next"));

  expect(new Mailbox(data).list(null, 10).map((mail) => mail.message)).toEqual(["whole", "next"]);
});
