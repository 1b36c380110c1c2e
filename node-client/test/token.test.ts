import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { expiry } from "../src/greeter.js";
import { client, FakeGateway } from "./support.js";

const jwt = (payload: object): string => `h.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.s`;

describe("the end of a token", () => {
  it.each<[string, number | undefined]>([
    [jwt({ exp: 1_790_000_000, name: "ü?>~" }), 1_790_000_000_000],
    [jwt({}), undefined],
    [jwt({ exp: "soon" }), undefined],
    ["opaque", undefined],
    ["a.b.c", undefined],
    ["", undefined],
  ])("of %s is %s", (token, end) => {
    expect(expiry(token)).toBe(end);
  });
});

describe("a token that ends", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] }));
  afterEach(() => void vi.useRealTimers());

  it("is renewed before, on the same connection", async () => {
    const gateway = new FakeGateway();
    let count = 0;
    const mq = client(gateway, { token: () => jwt({ exp: Date.now() / 1_000 + 600, n: ++count }) });
    await mq.ready();
    await gateway.next("hello");
    await mq.queues();

    vi.advanceTimersByTime(539_000);
    expect(gateway.frames("hello")).toHaveLength(1);
    vi.advanceTimersByTime(1_000);
    const { header } = await gateway.next("hello");

    expect(header["token"]).not.toBe(gateway.frames("hello")[0]?.header["token"]);
    expect(gateway.connected).toBe(1);
    expect(mq.status).toBe("open");
  });
});

describe("a silent server", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "Date"] }));
  afterEach(() => void vi.useRealTimers());

  it("is asked whether it is alive", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.ready();
    await gateway.next("hello");
    await mq.queues();

    vi.advanceTimersByTime(30_000);
    await gateway.next("hello");

    expect(gateway.connected).toBe(1);
  });

  it("that does not answer is given up, and another connection made", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.ready();
    await gateway.next("hello");
    await mq.queues();
    const end = gateway.on("hello", () => "silence");

    vi.advanceTimersByTime(50_000);
    end();
    await gateway.next("hello", () => gateway.connected === 2);

    await expect(mq.queues()).resolves.toEqual([]);
  });
});
