import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { heldRuns } from "../src/consume/held.js";
import { Prefetch } from "../src/consume/prefetch.js";
import { InvalidName } from "../src/errors.js";
import { checkName } from "../src/names.js";
import { platform as browser } from "../src/platform/browser.js";
import { platform as node } from "../src/platform/node.js";
import { fromWire, toWire } from "../src/protocol/case.js";
import { Columns } from "../src/protocol/columns.js";
import { toRanges } from "../src/protocol/ranges.js";
import { capability } from "../src/publish/capability.js";
import { backoffMs } from "../src/session/backoff.js";
import { Session } from "../src/session/session.js";

const TEXTS = ["", "abc", "pV3:0", "é", "€uro", "😀", "a".repeat(55), "b".repeat(56), "c".repeat(64), "ü".repeat(200)];

describe("platforms", () => {
  it.each(TEXTS)("hash %j alike", (text) => {
    expect([...browser.sha256(text)]).toEqual([...node.sha256(text)]);
  });

  it.each([...TEXTS, "\ud800", "\ud800x\udc00"])("measure and write %j alike", (text) => {
    const [a, b] = [new Uint8Array(700), new Uint8Array(700)];

    expect(browser.byteLength(text)).toBe(node.byteLength(text));
    expect(browser.write(text, a, 3)).toBe(node.write(text, b, 3));
    expect(a).toEqual(b);
  });

  it.each(TEXTS)("decode %j alike", (text) => {
    const bytes = new TextEncoder().encode(`<${text}>`);

    expect(browser.utf8(bytes, 1, bytes.length - 1)).toBe(text);
    expect(node.utf8(bytes, 1, bytes.length - 1)).toBe(text);
    expect(browser.ascii(bytes, 1, bytes.length - 1)).toBe(node.ascii(bytes, 1, bytes.length - 1));
  });
});

describe("watch capability", () => {
  it("is the first half of a SHA-256 in base64url", () => {
    const expected = createHash("sha256").update("key:12").digest().subarray(0, 16).toString("base64url");

    expect(capability("key", 12)).toBe(expected);
    expect(capability("key", 12)).toHaveLength(22);
  });
});

describe("ranges", () => {
  it.each([
    [[], []],
    [[1, 2, 3], [[1, 3]]],
    [[5, 1, 2, 4, 3], [[1, 5]]],
    [
      [1, 3, 3, 1],
      [
        [1, 1],
        [3, 3],
      ],
    ],
  ])("of %j are %j", (numbers, ranges) => {
    expect(toRanges(numbers)).toEqual(ranges);
  });
});

describe("held runs", () => {
  it("join what is consecutive in number and sequence", () => {
    const held = [
      { number: 7, sequence: 70 },
      { number: 3, sequence: 30 },
      { number: 4, sequence: 31 },
      { number: 5, sequence: 99 },
      { number: 4, sequence: 31 },
    ];

    expect(heldRuns(held)).toEqual([
      [3, 2, 30],
      [5, 1, 99],
      [7, 1, 70],
    ]);
  });
});

describe("columns", () => {
  it("are a scalar where all are alike, a column where not, and absent where unused", () => {
    const columns = new Columns();
    columns.add({ key: "a", priority: 1 });
    columns.add({ key: "b", priority: 1 });

    expect(columns.encode()).toEqual({ keys: ["a", "b"], priority: 1 });
  });

  it("have null for messages before and after without the attribute", () => {
    const columns = new Columns();
    columns.add(undefined);
    columns.add({ dedup_key: "x", type: "text" });
    columns.add(undefined);

    expect(columns.encode()).toEqual({ dedup_keys: [null, "x", null], types: ["json", "text", "json"] });
  });
});

describe("prefetch", () => {
  it("doubles while handlers are quick, up to the limit", () => {
    const prefetch = new Prefetch(1, undefined, 0);

    for (let i = 0; i < 20; i++) prefetch.settled(prefetch.value, 0, 1_000);

    expect(prefetch.value).toBe(1_000);
  });

  it("shrinks again when they become slow", () => {
    const prefetch = new Prefetch(1, undefined, 0);
    for (let i = 0; i < 5; i++) prefetch.settled(prefetch.value, 0, 1_000);

    expect(prefetch.settled(1, 3_000, 1_000)).toBe(true);
    expect(prefetch.value).toBe(32);
  });

  it("stays where the user put it", () => {
    expect(new Prefetch(1, 7, 0).settled(100, 0, 1_000)).toBe(false);
  });
});

describe("backoff", () => {
  it("starts within 250 ms, doubles, and stops at its maximum", () => {
    const between = { minMs: 200, maxMs: 5_000 };

    expect(backoffMs(between, 0, 0.99)).toBeLessThanOrEqual(250);
    expect(backoffMs(between, 2, 0)).toBe(400);
    expect(backoffMs(between, 50, 0.999)).toBeLessThanOrEqual(5_000);
  });
});

describe("session", () => {
  it.each([
    [1000, "retry"],
    [1001, "retry"],
    [1006, "retry"],
    [1011, "retry"],
    [1012, "retry"],
    [1013, "retry"],
    [1002, "stop"],
    [1007, "stop"],
    [1008, "stop"],
    [1009, "stop"],
  ])("after close code %i does: %s", (code, kind) => {
    const session = new Session({ minMs: 1, maxMs: 1 }, false);

    expect(session.lost(code, "", undefined, undefined, 0, 0).kind).toBe(kind);
  });

  it("tries again after 1008 if tokens can be renewed", () => {
    const session = new Session({ minMs: 1, maxMs: 1 }, true);

    expect(session.lost(1008, "", undefined, undefined, 0, 0).kind).toBe("retry");
  });
});

describe("names on the wire", () => {
  it("change case in both directions", () => {
    expect(fromWire({ rate_published: 1, nested: [{ oldest_ms: 2 }] })).toEqual({
      ratePublished: 1,
      nested: [{ oldestMs: 2 }],
    });
    expect(toWire({ leaseMs: 1, deadLetter: null })).toEqual({ lease_ms: 1, dead_letter: null });
  });

  it("leave users' content alone", () => {
    const value = { body: { a_b: 1 }, headers: { x_y: "1" }, result: { c_d: 1 }, reasons: { dead_letter: "no" } };

    expect(fromWire(value)).toEqual(value);
  });

  it("cannot change prototypes", () => {
    const value = fromWire<Record<string, unknown>>(JSON.parse('{"__proto__":{"polluted":true},"a":1}'));

    expect(value["polluted"]).toBeUndefined();
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });
});

describe("queue names", () => {
  it.each(["a", "emails", "emails.dead", "a-b_c.0", "x".repeat(75)])("%s is one", (name) =>
    expect(checkName("queue", name)).toBe(name),
  );
  it.each(["", "A", ".a", "a.", "a..b", "a b", "ä", "x".repeat(76), "a\n"])("%j is none", (name) =>
    expect(() => checkName("queue", name)).toThrow(InvalidName),
  );
});
