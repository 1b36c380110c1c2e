import { connect } from "postroad";
import { FakeGateway } from "postroad/testing";
import { expect, it, onTestFinished } from "vitest";
import { createApi } from "../api.js";
import { call, serve } from "./support.js";

async function setUp(): Promise<{ gateway: FakeGateway; url: string }> {
  const gateway = new FakeGateway();
  const mq = connect("ws://fake", { transport: gateway.transport });
  onTestFinished(() => mq.close({ drain: false }));
  await mq.ready();
  return { gateway, url: await serve(createApi(mq)) };
}

it("answers 202 with the message's id and its watch capability once the broker has it", async () => {
  const { gateway, url } = await setUp();

  const answer = await call("POST", `${url}/signups`, { name: "Ada", email: "ada@example.org" });

  expect(answer.status).toBe(202);
  expect(answer.json).toEqual({ id: expect.any(String), watch: expect.stringMatching(/^[\w-]{22}$/) });
  const [frame] = gateway.frames("publish");
  expect(frame?.header).toMatchObject({ queue: "emails" });
});

it("refuses an incomplete sign-up as a problem and publishes nothing", async () => {
  const { gateway, url } = await setUp();

  const answer = await call("POST", `${url}/signups`, { name: "", email: "nobody" });

  expect(answer.status).toBe(400);
  expect(answer.type).toContain("application/problem+json");
  expect(answer.json).toMatchObject({ code: "invalid-request", retryable: false });
  expect(answer.json.errors.map((one: { field: string }) => one.field)).toEqual(["name", "email"]);
  expect(gateway.frames("publish")).toHaveLength(0);
});

it("refuses what is not JSON as a problem", async () => {
  const { url } = await setUp();

  const answer = await call("POST", `${url}/signups`, "{", { "content-type": "application/json" });

  expect(answer).toMatchObject({ status: 400, json: { code: "invalid-request" } });
});

it("hands the caller's idempotency key to the queue, and none of its own", async () => {
  const { gateway, url } = await setUp();
  const signUp = { name: "Ada", email: "ada@example.org" };

  await call("POST", `${url}/signups`, signUp);
  await call("POST", `${url}/signups`, signUp, { "idempotency-key": "once" });
  await call("POST", `${url}/signups`, { ...signUp, idempotencyKey: "field" });

  const keys = gateway.frames("publish").map(({ header }) => header["dedup_key"] ?? header["dedup_keys"]);
  expect(keys.map((key) => (Array.isArray(key) ? key[0] : key))).toEqual([undefined, "once", "field"]);
});

it("publishes a bulk sign-up as one frame", async () => {
  const { gateway, url } = await setUp();

  const answer = await call("POST", `${url}/signups/bulk`, { count: 200 });

  expect(answer.status).toBe(202);
  expect(answer.json.count).toBe(200);
  expect(answer.json.ids).toHaveLength(20);
  expect(answer.json.first.id).toBe(answer.json.ids[0]);
  expect(gateway.frames("publish")).toHaveLength(1);
});

it("passes on that the queue is full, as something to try again", async () => {
  const { gateway, url } = await setUp();
  gateway.on("publish", () => ({ op: "error", code: "queue-full", message: "full", retryable: true }));

  const answer = await call("POST", `${url}/signups`, { name: "Ada", email: "ada@example.org" });

  expect(answer).toMatchObject({ status: 503, json: { code: "queue-full", retryable: true } });
});

it.each([
  ["a page of this machine", "http://localhost:5173", 200, "http://localhost:5173"],
  ["another site", "https://example.org", 403, null],
  ["a site that begins like this machine", "http://127.0.0.1.example.org", 403, null],
  ["an opaque origin", "null", 403, null],
])("lets call in, or not: %s", async (_who, origin, status, allowed) => {
  const { url } = await setUp();

  const answer = await fetch(`${url}/health`, { headers: { origin } });

  expect(answer.status).toBe(status);
  expect(answer.headers.get("access-control-allow-origin")).toBe(allowed);
});

it("is healthy only while the queue can be reached", async () => {
  const { gateway, url } = await setUp();
  expect((await call("GET", `${url}/health`)).status).toBe(200);

  gateway.accepts = false;
  gateway.drop();

  expect((await call("GET", `${url}/health`)).status).toBe(503);
});
