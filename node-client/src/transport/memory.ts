import type { Connection, Transport, TransportEvents } from "./transport.js";

/** The server's end of a memory connection. */
export interface MemoryPeer {
  readonly subprotocol: string;
  send(data: string | Uint8Array): void;
  close(code: number, reason: string): void;
  onMessage: (data: string | Uint8Array<ArrayBuffer>) => void;
  onClose: (code: number, reason: string) => void;
}

/**
 * A transport without a socket. Everything arrives in a later microtask and in order, as on a network.
 *
 * @param accept - called with each new connection; returning false refuses it.
 */
export function memoryTransport(accept: (peer: MemoryPeer) => boolean): Transport {
  return (_url, subprotocol, events) => connectPair(subprotocol, events, accept);
}

function connectPair(subprotocol: string, events: TransportEvents, accept: (peer: MemoryPeer) => boolean): Connection {
  let closed = false;
  const later = (task: () => void): void => queueMicrotask(() => !closed && task());
  const finish = (code: number, reason: string): void => {
    later(() => {
      closed = true;
      events.closed(code, reason);
      peer.onClose(code, reason);
    });
  };
  const peer: MemoryPeer = {
    subprotocol,
    send: (data) => later(() => events.message(data)),
    close: finish,
    onMessage: () => {},
    onClose: () => {},
  };
  later(() => {
    if (accept(peer)) events.opened();
    else finish(1006, "refused");
  });
  return {
    send: (data) => later(() => peer.onMessage(data)),
    close: finish,
    terminate: () => finish(1006, "terminated"),
  };
}
