import { expect, it } from "vitest";
import { localTime, placeName, placeOf } from "./place.js";

const typed = { offset: "", time: "" };

it.each([
  ["earliest", { ...typed, kind: "earliest" }, "earliest"],
  ["latest", { ...typed, kind: "latest" }, "latest"],
  ["an offset as it is shown", { ...typed, kind: "offset", offset: "1,200" }, { offset: 1_200 }],
  ["no offset", { ...typed, kind: "offset" }, null],
  ["half an offset", { ...typed, kind: "offset", offset: "1.5" }, null],
  ["an offset before the first", { ...typed, kind: "offset", offset: "-1" }, null],
  ["no time", { ...typed, kind: "time" }, null],
] as const)("understands %s", (_what, text, place) => {
  expect(placeOf(text)).toEqual(place);
});

it("reads a time back as it was offered", () => {
  const at = 1_790_000_000_000;
  expect(placeOf({ ...typed, kind: "time", time: localTime(at) })).toEqual({ at });
});

it("names a place", () => {
  expect(placeName("earliest")).toBe("the earliest message");
  expect(placeName({ offset: 1_200 })).toBe("offset 1,200");
});
