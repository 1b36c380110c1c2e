import { Buffer, isAscii } from "node:buffer";
import { createHash } from "node:crypto";
import type { Platform } from "./platform.js";

// Taken at load time: test suites replace the global with a fake clock.
const schedule = setImmediate;

const buffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** One listener for all: a process with many consumers would be warned of a leak. */
const atExit = new Set<() => void>();
const runAll = (): void => {
  for (const task of atExit) task();
};

export const platform: Platform = {
  byteLength: (text) => Buffer.byteLength(text),
  write: (text, target, offset) => buffer(target).write(text, offset, "utf8"),
  utf8: (bytes, start, end) => buffer(bytes).toString("utf8", start, end),
  ascii: (bytes, start, end) => {
    const whole = buffer(bytes);
    return isAscii(whole.subarray(start, end)) ? whole.toString("latin1", start, end) : undefined;
  },
  allocate: (size) => Buffer.allocUnsafeSlow(size),
  sha256: (text) => createHash("sha256").update(text, "utf8").digest(),
  endOfTick: (task) => void schedule(task),
  atExit: (task) => {
    if (atExit.size === 0) process.on("exit", runAll);
    atExit.add(task);
    return () => {
      atExit.delete(task);
      if (atExit.size === 0) process.off("exit", runAll);
    };
  },
};
