/** What every implementation in every language must agree on: tests/vectors. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseDeliver } from "../src/consume/parse.js";
import { ERRORS } from "../src/errors.js";
import { platform as browser } from "../src/platform/browser.js";
import { decodeFrame, encodeBytes, type Header, ProtocolViolation } from "../src/protocol/frame.js";
import { checkPattern, matches } from "../src/testing/broker/pattern.js";
import { retryDelayMs } from "../src/testing/broker/retry.js";

const read = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../../tests/vectors/${name}.json`, import.meta.url), "utf8")) as T;
const bytes = (hex: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (data: Uint8Array): string => Buffer.from(data).toString("hex");

interface Frames {
  readonly frames: readonly {
    readonly name: string;
    readonly frame: string;
    readonly header: Header;
    readonly bodies: readonly string[];
  }[];
  readonly broken: readonly { readonly name: string; readonly frame: string }[];
}

describe("frames", () => {
  const { frames, broken } = read<Frames>("frames");

  const taken = (data: Uint8Array): { header: Header; bodies: string[] } => {
    const { header, bytes: all = new Uint8Array(0), start, sizes } = decodeFrame(data);
    let offset = start;
    const bodies = sizes.map((size) => {
      offset += size;
      return hex(all.subarray(offset - size, offset));
    });
    return { header, bodies };
  };

  it.each(frames)("$name is read", ({ frame, header, bodies }) => {
    expect(taken(bytes(frame))).toEqual({ header, bodies });
  });
  it.each(frames)("$name is written", ({ header, bodies }) => {
    expect(taken(encodeBytes(header, bodies.map(bytes)))).toEqual({ header, bodies });
  });
  it("of deliveries give each message its topic", () => {
    const delivered = frames.filter(({ header }) => header["op"] === "deliver").map(({ frame }) => bytes(frame));

    expect(
      delivered.flatMap((data) =>
        parseDeliver(decodeFrame(data)).flatMap((batch) =>
          Array.from({ length: batch.count }, (_, index) => [batch.id(index), batch.topic(index)]),
        ),
      ),
    ).toEqual([
      ["3-t1-0", undefined],
      ["3-t1-1", undefined],
      ["3-t2-0", "orders.created"],
      ["3-t2-1", "orders.created"],
      ["3-t3-4", undefined],
    ]);
  });
  it.each(broken)("$name is refused", ({ frame }) => {
    expect(() => decodeFrame(bytes(frame))).toThrow(ProtocolViolation);
  });
  it.each(frames)("$name has the same text in browsers", ({ header }) => {
    const text = JSON.stringify(header);
    expect(browser.byteLength(text)).toBe(Buffer.byteLength(text));
  });
});

describe("patterns", () => {
  const { rows, invalid } = read<{
    readonly rows: readonly { readonly pattern: string; readonly topic: string; readonly matches: boolean }[];
    readonly invalid: readonly string[];
  }>("patterns");

  it.each(rows)("$pattern over $topic: $matches", (row) => {
    expect(matches(checkPattern(row.pattern), row.topic)).toBe(row.matches);
  });
  it.each(invalid.map((pattern) => ({ pattern })))("$pattern is none", ({ pattern }) => {
    expect(() => checkPattern(pattern)).toThrow();
  });
});

it("retry delays are those of the broker", () => {
  const { rows } = read<{ readonly rows: readonly Record<string, number>[] }>("retry");
  expect(rows.length).toBeGreaterThan(20);
  for (const { attempt = 0, backoff_ms = 0, backoff_max_ms = 0, position = 0, index = 0, delay_ms } of rows)
    expect(retryDelayMs(attempt, backoff_ms, backoff_max_ms, position, index)).toBe(delay_ms);
});

describe("errors", () => {
  const { errors } = read<{
    readonly errors: readonly { readonly code: string; readonly retryable: boolean; readonly http: number }[];
  }>("errors");

  it("are those of the server, in its order", () => {
    const ours = Object.entries(ERRORS).map(([code, { retryable, http }]) => ({
      code,
      retryable: retryable === "yes",
      http: http[0],
    }));

    expect(ours).toEqual(errors);
  });
});
