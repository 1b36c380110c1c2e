import { afterEach, describe, expect, it } from "vitest";
import { type Client, connect } from "../src/index.js";
import { type FakeServer, serveFake } from "../src/testing/index.js";
import { FakeGateway, reaches } from "./support.js";

const QUIET = { debug: () => {}, warn: () => {}, error: () => {} };
let server: FakeServer | undefined;
let mq: Client | undefined;
afterEach(async () => {
  await mq?.close({ drain: false });
  await server?.close();
});

describe("over a real socket", () => {
  it("publishes, consumes and comes back", async () => {
    const gateway = new FakeGateway();
    server = await serveFake(gateway);
    mq = connect(server.url, { reconnect: { minMs: 1, maxMs: 5 }, logger: QUIET });
    const bodies: unknown[] = [];
    mq.queue("q").consume((m) => void bodies.push(m.body));
    await mq.queue("q").publish({ text: "ü".repeat(100_000) });
    await gateway.next("settle");

    gateway.drop();
    await reaches(mq, "reconnecting");
    await mq.queue("q").publish("again");
    await gateway.next("settle", ({ header }) => JSON.stringify(header["ack"]) === "[[2,2]]");

    expect(bodies).toEqual([{ text: "ü".repeat(100_000) }, "again"]);
  });

  it("keeps trying while the address refuses", async () => {
    const gateway = new FakeGateway();
    server = await serveFake(gateway);
    gateway.accepts = false;
    mq = connect(server.url, { reconnect: { minMs: 1, maxMs: 5 }, logger: QUIET });
    const published = mq.queue("q").publish(1);
    gateway.accepts = true;

    await expect(published).resolves.toMatchObject({ id: "1-1-0" });
  });
});
