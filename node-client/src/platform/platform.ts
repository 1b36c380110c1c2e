/** What differs between Node and browsers besides the socket: text, hashing and the end of a tick. */
export interface Platform {
  /** Length of a string in UTF-8 bytes. */
  byteLength(text: string): number;
  /** Writes UTF-8 into `target` at `offset` and returns the bytes written. */
  write(text: string, target: Uint8Array, offset: number): number;
  /** Decodes a part of `bytes` as UTF-8. */
  utf8(bytes: Uint8Array, start: number, end: number): string;
  /** The whole of a part as one string if it is ASCII, so that it can be cut by character. */
  ascii(bytes: Uint8Array, start: number, end: number): string | undefined;
  /** A buffer that will be overwritten completely. */
  allocate(size: number): Uint8Array<ArrayBuffer>;
  sha256(text: string): Uint8Array;
  /** Runs `task` when everything that is ready to run now has run. */
  endOfTick(task: () => void): void;
  /** Runs `task` when the process ends by itself; call what it returns to take that back. */
  atExit(task: () => void): () => void;
}
