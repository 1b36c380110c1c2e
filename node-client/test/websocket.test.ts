import { createHash } from "node:crypto";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type Client, connect } from "../src/index.js";
import { type FakeServer, serveFake } from "../src/testing/index.js";
import { isPrivate, transport } from "../src/transport/node.js";
import { deferred, FakeGateway, reaches } from "./support.js";

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

  it("does not wait for a peer that never answers the closing handshake", async () => {
    const sockets: Socket[] = [];
    const listener = createServer((socket) => {
      sockets.push(socket);
      socket.on("error", () => {});
      socket.once("data", (data) => {
        const [, key = ""] = /sec-websocket-key: (.*)\r\n/i.exec(data.toString()) ?? [];
        const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
        const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
        lines.push(`Sec-WebSocket-Accept: ${accept}`, "Sec-WebSocket-Protocol: postroad.v1", "", "");
        socket.write(lines.join("\r\n"));
      });
    });
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const { port } = listener.address() as AddressInfo;
    const [opened, gone] = [deferred(), deferred<number>()];
    const connection = transport(`ws://127.0.0.1:${port}/ws`, "postroad.v1", {
      opened: () => opened.resolve(),
      message: () => {},
      alive: () => {},
      closed: (code) => gone.resolve(code),
    });
    await opened.promise;

    connection.close(1000, "bye");

    expect(await gone.promise).toBe(1006);
    for (const socket of sockets) socket.destroy();
    listener.close();
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

  it.each([
    ["ws://127.0.0.1:8000/ws", true],
    ["ws://[::1]:8000/ws", true],
    ["ws://localhost/ws", true],
    ["wss://queue.example.com/ws", true],
    ["ws://queue.example.com/ws", false],
    ["ws://127.0.0.1.example.com/ws", false],
    ["ws://10.0.0.1/ws", false],
  ])("masks what a proxy could read: %s is private: %s", (url, expected) => {
    expect(isPrivate(url)).toBe(expected);
  });
});
