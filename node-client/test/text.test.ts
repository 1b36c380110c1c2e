import { describe, expect, it } from "vitest";
import { cut, isWritable } from "../src/protocol/text.js";

describe("text that can be written", () => {
  it.each([
    ["abc", 2, "ab"],
    ["a😀b", 2, "a\ufffd"],
    ["a😀b", 3, "a😀"],
    ["\ud800", 5, "\ufffd"],
  ])("%j cut to %i units is %j", (text, max, wanted) => {
    expect(cut(text, max)).toBe(wanted);
  });

  it.each([
    [{ a: "\ud800" }, false],
    [["x\udfff"], false],
    [{ "\udc00": 1 }, false],
    [{ a: "😀 \\ud800 \\" }, true],
    [{ a: "\\\ud800" }, false],
    ["plain", true],
  ])("%j: writable is %s", (value, wanted) => {
    expect(isWritable(JSON.stringify(value))).toBe(wanted);
  });
});
