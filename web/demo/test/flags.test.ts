import { expect, it } from "vitest";
import { parseFlags } from "../flags.js";

it("has defaults for a person", () => {
  expect(parseFlags([])).toEqual({
    open: true,
    data: "data/demo",
    engine: "embedded",
    workers: 2,
    port: null,
    fast: false,
    readyFile: null,
  });
});

it("takes everything that a test needs", () => {
  const args = [
    "--no-open",
    "--data",
    "/tmp/x",
    "--engine",
    "redis",
    "--workers",
    "0",
    "--port",
    "9000",
    "--fast",
    "--ready-file",
    "r.json",
  ];

  expect(parseFlags(args)).toEqual({
    open: false,
    data: "/tmp/x",
    engine: "redis",
    workers: 0,
    port: 9000,
    fast: true,
    readyFile: "r.json",
  });
});

it.each([["--workers", "9"], ["--workers", "x"], ["--port", "0"], ["--sideways"]])("refuses %s %s", (...args) => {
  expect(() => parseFlags(args)).toThrow();
});
