import { describe, expect, it } from "vitest";
import { Problem } from "../problem.js";
import { parseCount, parseSignUp, person } from "../signup.js";

const wrongFields = (body: unknown): string[] => {
  try {
    parseSignUp(body);
    return [];
  } catch (error) {
    return error instanceof Problem ? error.errors.map((one) => one.field) : ["not a problem"];
  }
};

describe("a sign-up", () => {
  it("is taken without the spaces around it", () => {
    expect(parseSignUp({ name: "  Ada ", email: " ada@example.org " })).toEqual({
      name: "Ada",
      email: "ada@example.org",
    });
  });

  it.each([
    ["nothing at all", undefined, ["name", "email"]],
    ["null", null, ["name", "email"]],
    ["wrong types", { name: 1, email: {} }, ["name", "email"]],
    ["only spaces", { name: "  ", email: "a@b.c" }, ["name"]],
    ["a name with a line break", { name: "Ada\r\nBcc: x", email: "a@b.c" }, ["name"]],
    ["a name of 81 characters", { name: "x".repeat(81), email: "a@b.c" }, ["name"]],
    ["no at sign", { name: "Ada", email: "ada.example.org" }, ["email"]],
    ["two addresses", { name: "Ada", email: "a@b.c,d@e.f" }, ["email"]],
    ["an address in brackets", { name: "Ada", email: "<a@b.c>" }, ["email"]],
    ["a header in the address", { name: "Ada", email: "a@b.c\r\nBcc: d@e.f" }, ["email"]],
  ])("names every wrong field: %s", (_what, body, fields) => {
    expect(wrongFields(body)).toEqual(fields);
  });

  it.each([1, 1_000])("may be asked for %i people at once", (count) => {
    expect(parseCount({ count })).toBe(count);
  });

  it.each([0, 1_001, 1.5, "5", null])("may not be asked for %j people at once", (count) => {
    expect(() => parseCount({ count })).toThrow(Problem);
  });

  it("makes up different people with valid addresses", () => {
    const people = Array.from({ length: 1_000 }, (_, n) => person(n));

    expect(new Set(people.map((one) => one.email)).size).toBe(1_000);
    for (const one of people) expect(parseSignUp(one)).toEqual(one);
  });
});
