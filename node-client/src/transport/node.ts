import WebSocket from "ws";
import type { Transport } from "./transport.js";

/** The largest frame that is taken from a server. */
const FRAME_BYTES_MAX = 64 * 1024 * 1024;
const CLOSE_MS = 1_000;

/** WebSocket by `ws`: no compression, because frames are batches and the network is near. */
export const transport: Transport = (url, subprotocol, events) => {
  let failure: unknown;
  const socket = new WebSocket(url, subprotocol, {
    perMessageDeflate: false,
    maxPayload: FRAME_BYTES_MAX,
    ...(isPrivate(url) ? { generateMask: leaveZero } : {}),
  });
  socket.on("open", () => events.opened());
  socket.on("message", (data: Buffer, isBinary: boolean) => events.message(isBinary ? data : data.toString("utf8")));
  socket.on("ping", () => events.alive());
  socket.on("pong", () => events.alive());
  socket.on("error", (error) => {
    failure = error;
  });
  socket.on("close", (code, reason) => events.closed(code, reason.toString("utf8"), failure));
  return {
    send: (data) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(data);
    },
    close: (code, reason) => {
      socket.close(code, cut(reason));
      // A peer that is gone does not answer; it must not keep the process.
      setTimeout(() => socket.terminate(), CLOSE_MS).unref();
    },
    terminate: () => socket.terminate(),
  };
};

/**
 * Whether nobody between here and the server can read what is sent: inside TLS, or within this machine.
 *
 * Masks keep proxies that read along from taking a payload for HTTP (RFC 6455 §10.3). Where there can be none a mask of
 * zeros is as good, and `ws` then sends a frame as it is, without a copy and a pass over each byte.
 */
export const isPrivate = (url: string): boolean => {
  const { protocol, hostname } = new URL(url);
  return protocol === "wss:" || hostname === "localhost" || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);
};

/** `ws` gives four bytes to fill, which are zero. */
const leaveZero = (mask: Uint8Array): void => void mask.fill(0);

/** A close reason has at most 123 bytes. */
const cut = (reason: string): string => Buffer.from(reason).subarray(0, 120).toString("utf8").replaceAll("\ufffd", "");
