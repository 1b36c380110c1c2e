import { expect, it } from "vitest";
import { Engine } from "../engine.js";

const BASE = { logs: "/nowhere", changed: () => {}, process: () => {} };

it("starts nothing for the embedded engine, which the gateway brings itself", () => {
  const engine = new Engine("embedded", "/data", BASE);

  expect(engine).toMatchObject({ name: "embedded", server: null, flags: [] });
});

it("uses a server that runs already by its URL, and shows no password of it", () => {
  const engine = new Engine("redis://:secret@127.0.0.1:6379/3", "/data", BASE);

  expect(engine.flags).toEqual(["--engine", "redis://:secret@127.0.0.1:6379/3"]);
  expect(engine).toMatchObject({ name: "redis", server: null });
});
