import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import { afterEach, describe, expect, it } from "vitest";
import { closeOnSignals, health, postroad } from "../src/express/index.js";
import { CallFailed, DeadLetter } from "../src/index.js";
import { createTestBroker } from "../src/testing/index.js";
import { client, deferred, FakeGateway, reaches } from "./support.js";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(app: express.Express): Promise<{ server: Server; url: string }> {
  const server = app.listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

describe("a handler that calls", () => {
  it("answers with what the consumer returned, or with why there is none", async () => {
    const broker = createTestBroker();
    await using mq = broker.connect();
    mq.queue<{ n: number }>("double").consume((m) => {
      if (m.body.n < 0) throw new DeadLetter("negative");
      return { doubled: m.body.n * 2 };
    });
    const app = express();
    app.use(express.json(), postroad(mq));
    app.post("/double", async (req, res) => {
      try {
        res.json(await req.mq.queue("double").call(req.body));
      } catch (error) {
        res.status(error instanceof CallFailed ? 422 : 504).json({ error: (error as Error).message });
      }
    });
    const { url } = await listen(app);
    const ask = (n: number): Promise<Response> =>
      fetch(`${url}/double`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ n }),
      });

    const answers = await Promise.all([1, 2, 3].map(async (n) => (await ask(n)).json()));
    expect(answers).toEqual([{ doubled: 2 }, { doubled: 4 }, { doubled: 6 }]);
    const refused = await ask(-1);
    expect(refused.status).toBe(422);
    expect(await refused.json()).toEqual({ error: expect.stringContaining("is dead: negative") });
  });
});

describe("postroad()", () => {
  it("gives requests the client", async () => {
    const gateway = new FakeGateway();
    const app = express();
    app.use(express.json(), postroad(client(gateway)));
    app.post("/signups", async (req, res) => {
      res.status(202).json(await req.mq.queue("emails").publish(req.body));
    });
    const { url } = await listen(app);

    const response = await fetch(`${url}/signups`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"a":1}',
    });

    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({ id: "1-1-0", watch: expect.any(String), duplicate: false });
  });
});

describe("health()", () => {
  it("is 200 while connected and 503 with the reason while not", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const { url } = await listen(express().get("/health", health(mq)));
    await mq.ready();
    const good = await fetch(`${url}/health`);

    gateway.accepts = false;
    gateway.drop();
    await reaches(mq, "reconnecting");
    const bad = await fetch(`${url}/health`);

    expect([good.status, await good.json()]).toEqual([200, { status: "open" }]);
    expect([bad.status, await bad.json()]).toEqual([503, { status: "reconnecting", error: "unavailable" }]);
  });
});

describe("closeOnSignals()", () => {
  it("lets a running request publish, then closes the client, then is done", async () => {
    const gateway = new FakeGateway();
    const mq = client(gateway);
    const arrived = deferred();
    const gate = deferred();
    const app = express().get("/slow", async (_req, res) => {
      arrived.resolve();
      await gate.promise;
      res.json(await mq.queue("q").publish(1));
    });
    const { server, url } = await listen(app);
    const closed = deferred();
    const stop = closeOnSignals(server, mq, { signals: ["SIGUSR2"], onClosed: closed.resolve });
    const response = fetch(`${url}/slow`, { headers: { connection: "close" } });
    await arrived.promise;

    process.emit("SIGUSR2");
    process.emit("SIGUSR2");
    gate.resolve();

    expect(await (await response).json()).toMatchObject({ id: "1-1-0" });
    await closed.promise;
    expect(mq.status).toBe("closed");
    stop();
    expect(process.listenerCount("SIGUSR2")).toBe(0);
  });
});
