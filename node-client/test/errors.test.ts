import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as errors from "../src/errors.js";

const page = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8");
const rows = page
  .split("\n")
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .filter((cells) => cells.length === 7 && cells[1]?.startsWith("`") && /^\d/.test(cells[5] ?? ""))
  .map(
    ([, code = "", , costs, retryable, http = ""]) =>
      [code.replaceAll("`", ""), { costs, retryable, http: http.split(", ").map(Number) }] as const,
  );

describe("errors", () => {
  it("are the table of the protocol", () => {
    expect(rows.length).toBeGreaterThan(15);
    expect(errors.ERRORS).toEqual(Object.fromEntries(rows));
  });

  it.each(rows)("%s has a class of its own", (code) => {
    const error = errors.errorFrom({ op: "error", id: 1, code, message: "No." });

    expect(error.code).toBe(code);
    expect(error.constructor).not.toBe(errors.PostroadError);
    expect(error.name).toBe(code.replace(/(^|-)([a-z])/g, (_all, _dash, letter: string) => letter.toUpperCase()));
  });

  it("keep the fields of the reply and what the server says of retrying", () => {
    const error = errors.errorFrom({
      op: "error",
      id: 1,
      code: "limit-exceeded",
      message: "Too long.",
      retryable: false,
      limit: "body_bytes_max",
      value: 5,
    });

    expect(error).toBeInstanceOf(errors.LimitExceeded);
    expect(error.retryable).toBe(false);
    expect(error.details).toEqual({ limit: "body_bytes_max", value: 5 });
  });

  it("keep a code that is not known", () => {
    expect(errors.errorFrom({ code: "too-blue", message: "x" }).code).toBe("too-blue");
  });

  it("survive a frame without code", () => {
    expect(errors.errorFrom({ op: "error" })).toBeInstanceOf(errors.Internal);
  });
});
