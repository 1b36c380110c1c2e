import type { Transport } from "./transport.js";

/** Close codes that a page may use; the protocol's own are shifted into 4000–4999. */
const allowed = (code: number): number => (code === 1000 || code >= 3000 ? code : 3000 + code);

export const transport: Transport = (url, subprotocol, events) => {
  let closed = false;
  const finish = (code: number, reason: string, cause?: unknown): void => {
    if (closed) return;
    closed = true;
    events.closed(code, reason, cause);
  };
  let socket: WebSocket;
  try {
    socket = new WebSocket(url, subprotocol);
  } catch (cause) {
    queueMicrotask(() => finish(1006, "The address cannot be opened.", cause));
    return { send: () => {}, close: () => {}, terminate: () => {} };
  }
  socket.binaryType = "arraybuffer";
  socket.addEventListener("open", () => events.opened());
  socket.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => {
    if (!closed) events.message(typeof data === "string" ? data : new Uint8Array(data));
  });
  socket.addEventListener("close", ({ code, reason }) => finish(code, reason));
  return {
    send: (data) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(data);
    },
    close: (code, reason) => socket.close(allowed(code), reason.slice(0, 40)),
    terminate: () => {
      // A page cannot drop a socket: it stops listening and lets the browser give up on it.
      socket.close();
      queueMicrotask(() => finish(1006, "terminated"));
    },
  };
};
