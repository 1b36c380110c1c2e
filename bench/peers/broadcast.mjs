/** What one would write without a broker: a `ws` server that sends what a client says to all others. `node broadcast.mjs PORT` */
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2]), perMessageDeflate: false });
server.on("connection", (socket) => {
  socket.on("error", () => {});
  socket.on("message", (data) => {
    for (const client of server.clients) if (client !== socket) client.send(data, { binary: true });
  });
});
