import { expect, it } from "vitest";
import { searchFields } from "./search.js";

it.each([
  ["a text in the body", { within: "body", text: " ada " }, { text: "ada" }],
  ["an ordering key", { within: "key", text: "customer-1" }, { key: "customer-1" }],
  ["a header", { within: "header", text: "region: eu" }, { headers: { region: "eu" } }],
  ["a header with a colon in its value", { within: "header", text: "url=http://a" }, { headers: { url: "http://a" } }],
  ["a header without a value", { within: "header", text: "region" }, null],
  ["nothing", { within: "body", text: "  " }, null],
] as const)("asks for %s", (_what, search, fields) => {
  expect(searchFields(search)).toEqual(fields);
});
