import { describe, expect, it } from "vitest";
import { connect, InvalidState, NotAuthenticated, Unavailable } from "../src/index.js";
import { client, FakeGateway, reaches } from "./support.js";

describe("connect", () => {
  it("says hello with format, session and client, and is open after the welcome", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway, { name: "mailer", session: "s-1" });
    expect(mq.status).toBe("connecting");

    const welcome = await mq.ready();

    expect(mq.status).toBe("open");
    expect(welcome.store).toBe("store-1");
    expect(welcome.limits.prefetchMax).toBe(16_384);
    const { header } = await gateway.next("hello");
    expect(header).toMatchObject({ format: "binary", session: "s-1", client: { name: "mailer" } });
    expect(header).not.toHaveProperty("token");
  });

  it("asks the token function for each connection", async () => {
    const gateway = new FakeGateway();
    let count = 0;
    const mq = client(gateway, { token: async () => `token-${++count}` });
    await mq.ready();

    gateway.drop();
    await reaches(mq, "reconnecting");
    await mq.ready();

    expect(gateway.frames("hello").map(({ header }) => header["token"])).toEqual(["token-1", "token-2"]);
  });

  it("ends with the error if a fixed token is refused", async () => {
    const gateway = new FakeGateway();
    gateway.on("hello", () => ({ op: "error", code: "not-authenticated", message: "No.", retryable: false }));
    const mq = client(gateway, { token: "wrong" });

    await expect(mq.ready()).rejects.toBeInstanceOf(NotAuthenticated);
    expect(mq.status).toBe("closed");
    await expect(mq.queue("q").publish(1)).rejects.toBeInstanceOf(NotAuthenticated);
  });

  it("fetches another token if one is refused", async () => {
    const gateway = new FakeGateway();
    let isOld = true;
    gateway.on("hello", ({ header }) =>
      header["token"] === "old"
        ? { op: "error", code: "not-authenticated", message: "Old.", retryable: false }
        : undefined,
    );
    const mq = client(gateway, {
      token: () => {
        const token = isOld ? "old" : "new";
        isOld = false;
        return token;
      },
    });

    await mq.ready();

    expect(gateway.frames("hello")).toHaveLength(2);
  });

  it("keeps trying while nobody answers", async () => {
    const gateway = new FakeGateway();
    gateway.accepts = false;
    const mq = client(gateway);
    const ready = mq.ready();
    gateway.accepts = true;

    await ready;

    expect(mq.status).toBe("open");
  });

  it("tells listeners how the status changes", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const seen: string[] = [];
    mq.onStatus((status) => seen.push(status));
    await mq.ready();

    gateway.send({ op: "drain", grace_ms: 5000 });
    await reaches(mq, "draining");
    gateway.drop(1012, "restart");
    await reaches(mq, "reconnecting");
    await mq.ready();
    await mq.close();

    expect(seen).toEqual(["open", "draining", "reconnecting", "open", "closed"]);
  });

  it("opens nothing while lazy and unused", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway, { lazy: true });

    await mq.close();

    expect(gateway.connected).toBe(0);
    await expect(mq.ready()).rejects.toBeInstanceOf(InvalidState);
  });

  it.each(["http://x/ws", "x", ""])("refuses the address %j", (url) => {
    expect(() => connect(url)).toThrow(TypeError);
  });
});

describe("requests", () => {
  it("wait for the connection", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);

    await expect(mq.queues()).resolves.toEqual([]);
  });

  it("are asked again if the connection is lost before their answer", async () => {
    const gateway = new FakeGateway();
    const end = gateway.on("query", () => "silence");
    const mq = client(gateway);
    const queues = mq.queues();
    await gateway.next("query");

    end();
    gateway.drop();

    await expect(queues).resolves.toEqual([]);
  });

  it("that change something are not asked again", async () => {
    const gateway = new FakeGateway();
    gateway.on("operate", () => "silence");
    const mq = client(gateway);
    const purged = mq.queue("q").purge();
    await gateway.next("operate");

    gateway.drop();

    await expect(purged).rejects.toBeInstanceOf(Unavailable);
    await mq.ready();
    expect(gateway.frames("operate")).toHaveLength(1);
  });

  it("give up after their time", async () => {
    const gateway = new FakeGateway();
    gateway.on("query", () => "silence");
    const mq = client(gateway, { requestTimeoutMs: 1 });

    await expect(mq.queues()).rejects.toMatchObject({ code: "unavailable" });
  });

  it("can be aborted", async () => {
    const gateway = new FakeGateway();
    gateway.on("query", () => "silence");
    const mq = client(gateway);
    const controller = new AbortController();
    const query = mq.query("queues", {}, { signal: controller.signal });
    await gateway.next("query");

    controller.abort();

    await expect(query).rejects.toMatchObject({ name: "AbortError" });
  });

  it("are rejected with the class of the error's code", async () => {
    const gateway = new FakeGateway();
    gateway.on("query", () => ({ op: "error", code: "message-not-found", message: "No.", retryable: false }));
    const mq = client(gateway);

    await expect(mq.message("3-t1-0")).rejects.toMatchObject({
      name: "MessageNotFound",
      code: "message-not-found",
      retryable: false,
    });
  });

  it("translate names in both directions", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);

    await mq.queue("q").declare({ leaseMs: 5, deadLetter: null }, { update: true });

    const { header } = await gateway.next("declare");
    expect(header).toMatchObject({ queue: "q", settings: { lease_ms: 5, dead_letter: null }, update: true });
  });

  it("are rejected when the client closes", async () => {
    const gateway = new FakeGateway();
    gateway.on("query", () => "silence");
    const mq = client(gateway);
    const queues = mq.queues();
    await gateway.next("query");

    const [outcome] = await Promise.allSettled([queues, mq.close()]);

    expect(outcome.status === "rejected" && outcome.reason).toBeInstanceOf(InvalidState);
  });
});

describe("a server that breaks the protocol", () => {
  it.each<[string, string | Uint8Array]>([
    ["no JSON", "what?"],
    ["a short binary frame", new Uint8Array([0, 0, 1])],
    ["a deliver without runs", JSON.stringify({ op: "deliver", sub: 1 })],
  ])("by %s loses the connection, and the client comes back", async (_name, data) => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    mq.queue("q").consume(() => {});
    await gateway.next("consume");

    gateway.send(data);
    await reaches(mq, "reconnecting");
    await mq.ready();

    expect(gateway.connected).toBe(2);
  });

  it("by ops, subs and ids that nobody knows does no harm", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    await mq.ready();

    gateway.send({ op: "surprise" });
    gateway.send({ op: "state", sub: 99, queue: 5 });
    gateway.send({ op: "ok", id: 12_345 });

    await expect(mq.queues()).resolves.toEqual([]);
    expect(gateway.connected).toBe(1);
  });
});
