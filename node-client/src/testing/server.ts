import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import type { FakeGateway } from "./gateway.js";

export interface FakeServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves a fake gateway by WebSocket on a free port of the loopback address, for programs that take a URL only. */
export async function serveFake(gateway: FakeGateway): Promise<FakeServer> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  server.on("connection", (socket) => {
    if (!gateway.accepts) {
      socket.terminate();
      return;
    }
    const connection = gateway.accept(
      (data) => socket.send(data),
      (code, reason) => (code === 1006 ? socket.terminate() : socket.close(code, reason)),
    );
    socket.on("message", (data: Buffer, isBinary: boolean) =>
      gateway.receive(connection, isBinary ? data : data.toString("utf8")),
    );
    socket.on("close", () => gateway.closed(connection));
  });
  await new Promise<void>((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `ws://127.0.0.1:${port}/ws`,
    close: () => {
      for (const client of server.clients) client.terminate();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
