import { expect, it } from "vitest";
import { changes, parsedOf, QUEUE_FIELDS, type SettingField, STREAM_FIELDS, textOf } from "./fields.js";

const queue = {
  leaseMs: 30_000,
  attemptsMax: 5,
  backoffMs: 1_000,
  backoffMaxMs: 600_000,
  deadLetter: "emails.dead",
  expireMs: null,
  concurrencyMax: null,
  rateMax: 50,
  lengthMax: null,
  bytesMax: 1_048_576,
  overflow: "reject",
};
const texts = (fields: readonly SettingField[], values: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(fields.map((field) => [field.name, textOf(field, values[field.name])]));

it("changes nothing by being opened", () => {
  expect(changes(QUEUE_FIELDS, queue, texts(QUEUE_FIELDS, queue))).toEqual({});
});

it("names only what was changed", () => {
  const typed = { ...texts(QUEUE_FIELDS, queue), leaseMs: "1 min", rateMax: "", overflow: "drop_oldest" };

  expect(changes(QUEUE_FIELDS, queue, typed)).toEqual({ leaseMs: 60_000, rateMax: null, overflow: "drop_oldest" });
});

it("takes the same value in other words for the same", () => {
  expect(changes(QUEUE_FIELDS, queue, { ...texts(QUEUE_FIELDS, queue), backoffMaxMs: "600 s" })).toEqual({});
});

it("turns a flag of a stream on", () => {
  const stream = { retentionMs: null, retentionBytes: null, retentionCount: null, keepUntilAcked: false };
  expect(changes(STREAM_FIELDS, stream, { ...texts(STREAM_FIELDS, stream), keepUntilAcked: "true" })).toEqual({
    keepUntilAcked: true,
  });
});

it.each([
  ["leaseMs", "10 ms", "At least 100 ms."],
  ["leaseMs", "2 d", "At most 12 h."],
  ["leaseMs", "", "Needed."],
  ["leaseMs", "soon", "Such as 30 s, 5 min, 7 d."],
  ["attemptsMax", "1.5", "A number."],
  ["attemptsMax", "0", "At least 1."],
  ["bytesMax", "much", "Such as 64 MiB."],
])("says what is wrong with %s %j", (name, text, error) => {
  const field = QUEUE_FIELDS.find((one) => one.name === name);
  expect(field && parsedOf(field, text)).toEqual({ error });
});
