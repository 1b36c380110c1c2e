import { describe, expect, it } from "vitest";
import { messagePath, queuePath, socketUrl } from "./address.js";
import { pretty, preview } from "./body.js";
import { bytes } from "./bytes.js";
import { duration } from "./duration.js";
import { sentence } from "./event.js";
import { count, counted } from "./number.js";
import { rate } from "./rate.js";
import { stepTitle, stepTone } from "./step.js";
import { exact, relative } from "./time.js";

it.each([
  [0, "0"],
  [999, "999"],
  [12_408, "12,408"],
  [1_000_000, "1,000,000"],
])("counts exactly: %d", (value, text) => {
  expect(count(value)).toBe(text);
});

it.each([
  [0, "0 messages"],
  [1, "1 message"],
  [2_000, "2,000 messages"],
])("counts with the word in the right number: %d", (value, text) => {
  expect(counted(value, "message")).toBe(text);
});

it.each([
  [0, "0 B"],
  [1_023, "1023 B"],
  [1_024, "1 KiB"],
  [1_536, "1.5 KiB"],
  [20_480, "20 KiB"],
  [1_048_576, "1 MiB"],
  [3 * 1_024 ** 4, "3 TiB"],
  [5_000 * 1_024 ** 4, "5000 TiB"],
])("shows %d bytes as %s", (value, text) => {
  expect(bytes(value)).toBe(text);
});

it.each([
  [0, "0/s"],
  [0.01, "<0.1/s"],
  [0.4, "0.4/s"],
  [2, "2/s"],
  [9.96, "10/s"],
  [123.4, "123/s"],
  [999.6, "1k/s"],
  [1_234, "1.2k/s"],
  [45_600, "46k/s"],
  [1_500_000, "1.5M/s"],
])("shows a rate of %d as %s", (value, text) => {
  expect(rate(value)).toBe(text);
});

it.each([
  [-5, "0 ms"],
  [0, "0 ms"],
  [840.4, "840 ms"],
  [999.7, "1 s"],
  [1_234, "1.2 s"],
  [45_000, "45 s"],
  [60_000, "1 min"],
  [200_000, "3 min 20 s"],
  [7_500_000, "2 h 5 min"],
  [273_600_000, "3 d 4 h"],
])("shows %d ms as %s", (value, text) => {
  expect(duration(value)).toBe(text);
});

it.each([
  [1_000_000, "just now"],
  [1_000_400, "now"],
  [988_000, "12 s ago"],
  [1_003_000, "in 3 s"],
  [1_002_100, "in 3 s"],
  [1_000_000 + 599_500, "in 10 min"],
  [1_000_000 - 200_000, "3 min ago"],
])("says when %d was, seen from 1,000,000", (at, text) => {
  expect(relative(at, 1_000_000)).toBe(text);
});

it("has milliseconds in an exact time", () => {
  expect(exact(1_790_000_000_042)).toMatch(/:\d\d\.042$/);
});

describe("a body", () => {
  it("is indented when it is JSON and left alone when it is text", () => {
    expect(pretty({ a: [1] })).toBe('{\n  "a": [\n    1\n  ]\n}');
    expect(pretty('{"a":1}')).toBe('{"a":1}');
  });

  it("is cut where it is too long to read, and says so", () => {
    expect(pretty("x".repeat(30), 10)).toBe(`${"x".repeat(10)}\n… 20 more characters`);
  });

  it("fits on one line of a table", () => {
    expect(preview({ text: "a\nb" })).toBe('{"text":"a\\nb"}');
    expect(preview(`a\n${"b".repeat(300)}`, 20)).toHaveLength(20);
  });
});

it.each([
  [{ kind: "published", count: 200 }, "200 messages published"],
  [{ kind: "acked", count: 1, consumer: "worker-1" }, "1 message done by worker-1"],
  [{ kind: "retrying", attempt: 2, consumer: "w", reason: "421" }, "1 message failed by w, attempt 2: 421"],
  [{ kind: "dead", to: "emails.dead", reason: "421" }, "1 message set aside in emails.dead: 421"],
  [{ kind: "paused" }, "Queue paused"],
  [{ kind: "started" }, "Broker started"],
  [{ kind: "compacted", count: 3 }, "3 messages let go by compaction"],
  [{ kind: "scheduled", schedule: "nightly" }, "Schedule nightly made"],
  [{ kind: "unscheduled", schedule: "nightly" }, "Schedule nightly deleted"],
  [{ kind: "refused", schedule: "nightly", reason: "full" }, "Firing of nightly refused: full"],
] as const)("says an event in a sentence: %o", (event, text) => {
  expect(sentence({ position: 1, at: 1, ...event })).toBe(text);
});

it.each([
  [{ kind: "published" }, "In the queue, synced to disk", "queued"],
  [{ kind: "delivered", consumer: "w", attempt: 1 }, "Delivered to w", "delivered"],
  [{ kind: "delivered", consumer: "w", attempt: 2 }, "Delivered to w, attempt 2", "delivered"],
  [{ kind: "progress", percent: 60, note: "sending" }, "60 % sending", "delivered"],
  [{ kind: "progress" }, "Progress", "delivered"],
  [{ kind: "retrying", attempt: 1 }, "Attempt 1 failed", "retrying"],
  [{ kind: "acked", consumer: "w" }, "Done by w", "done"],
  [{ kind: "dead", queue: "emails.dead" }, "Set aside as a dead letter in emails.dead", "dead"],
] as const)("says a step to a person: %o", (step, title, tone) => {
  expect(stepTitle({ at: 1, ...step })).toBe(title);
  expect(stepTone({ at: 1, ...step })).toBe(tone);
});

it("says what a confirm of this broker is worth", () => {
  expect(stepTitle({ at: 1, kind: "published", queue: "emails" }, "os")).toBe("In the queue emails, written to disk");
  expect(stepTitle({ at: 1, kind: "published" }, "memory")).toBe("In the queue, in memory");
});

it("makes addresses that a name cannot break out of", () => {
  expect(queuePath("emails.dead")).toBe("/queues/emails.dead");
  expect(messagePath("3-t1-0/../x")).toBe("/messages/3-t1-0%2F..%2Fx");
});

it.each([
  ["/ws", "http:", "ws://127.0.0.1:7070/ws"],
  ["/ws", "https:", "wss://127.0.0.1:7070/ws"],
  ["wss://mq.example/ws", "http:", "wss://mq.example/ws"],
])("finds the socket %s of a page over %s", (ws, protocol, url) => {
  expect(socketUrl(ws, { protocol, host: "127.0.0.1:7070" })).toBe(url);
});
