/// <reference types="node" />
import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { asCurl, asTypeScript } from "./copy_as.js";

const message = {
  queue: "emails",
  type: "json" as const,
  body: { name: "O'Hara `$(touch x)`" },
  headers: { trace: "1" },
  key: "user-1",
  priority: 3,
};

it("makes a curl command that a shell takes apart as it was meant", () => {
  const command = asCurl(message, "ws://127.0.0.1:7070/ws").replace(/^curl/, "printf '%s\\n'");

  const words = execFileSync("sh", ["-c", command], { encoding: "utf8" }).trim().split("\n");

  expect(words.slice(0, -1)).toEqual([
    "-X",
    "POST",
    "http://127.0.0.1:7070/v1/queues/emails/messages",
    "-H",
    "Content-Type: application/json",
    "-d",
  ]);
  expect(JSON.parse(words.at(-1) ?? "")).toEqual({
    messages: [{ body: message.body, headers: { trace: "1" }, key: "user-1", priority: 3 }],
  });
});

it("makes a program that publishes the same body with the same attributes", () => {
  const program = asTypeScript(message, "wss://mq.example/ws");

  expect(program).toContain('connect("wss://mq.example/ws")');
  expect(program).toContain(JSON.stringify(message.body, null, 2));
  expect(program).toContain('"key": "user-1"');
});

it("leaves out what the message does not have", () => {
  const plain = { queue: "q", type: "text" as const, body: "hello", headers: null, key: null, priority: 0 };

  expect(asCurl(plain, "ws://h/ws")).toContain(`'{"messages":[{"body":"hello","type":"text"}]}'`);
  expect(asTypeScript(plain, "ws://h/ws")).toContain('.publish("hello");');
});
