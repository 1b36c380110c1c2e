/** The seam between the client and a socket. A transport never throws; what goes wrong arrives as `closed`. */
export interface TransportEvents {
  opened(): void;
  message(data: string | Uint8Array): void;
  /** Something came from the peer that is not a frame (a ping): it is alive. */
  alive(): void;
  /** Called exactly once, also when the connection never opened. */
  closed(code: number, reason: string, cause?: unknown): void;
}

export interface Connection {
  send(data: string | Uint8Array<ArrayBuffer>): void;
  /** Starts the closing handshake. */
  close(code: number, reason: string): void;
  /** Drops the connection at once. */
  terminate(): void;
}

export type Transport = (url: string, subprotocol: string, events: TransportEvents) => Connection;
