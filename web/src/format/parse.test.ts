import { expect, it } from "vitest";
import { exactBytes, exactDuration, headerLines, parseBytes, parseDuration, parseHeaders } from "./parse.js";

it.each([
  ["30", 30_000],
  ["30 s", 30_000],
  ["500ms", 500],
  ["1 h 30 min", 5_400_000],
  ["7 d", 604_800_000],
  ["1.5 s", 1_500],
  ["", null],
  ["soon", null],
  ["5 weeks", null],
  ["1 2", null],
  ["-5 s", null],
])("reads %j as %s ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

it.each([0, 1, 999, 1_000, 30_000, 90_500, 604_800_000, 86_400_001])("writes %d ms so that it is read back", (ms) => {
  expect(parseDuration(exactDuration(ms))).toBe(ms);
});

it.each([0, 1, 1_024, 1_500, 1_048_576, 5_368_709_121])("writes %d bytes so that they are read back", (size) => {
  expect(parseBytes(exactBytes(size))).toBe(size);
});

it("reads headers by line, a value may have colons", () => {
  expect(parseHeaders("region: eu\n\nurl: http://a")).toEqual({ region: "eu", url: "http://a" });
  expect(parseHeaders("region")).toContain("region");
  expect(headerLines({ region: "eu", a: "b" })).toBe("region: eu\na: b");
});
