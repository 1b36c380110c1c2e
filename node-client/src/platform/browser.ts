import type { Platform } from "./platform.js";
import { sha256 } from "./sha256.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const platform: Platform = {
  byteLength: (text) => {
    let bytes = text.length;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit < 0x80) continue;
      bytes += unit < 0x800 ? 1 : 2;
      // A surrogate pair is two units and four bytes.
      if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) i++;
    }
    return bytes;
  },
  write: (text, target, offset) => encoder.encodeInto(text, target.subarray(offset)).written,
  utf8: (bytes, start, end) => decoder.decode(bytes.subarray(start, end)),
  ascii: (bytes, start, end) => {
    const text = decoder.decode(bytes.subarray(start, end));
    return text.length === end - start ? text : undefined;
  },
  allocate: (size) => new Uint8Array(size),
  sha256: (text) => sha256(encoder.encode(text)),
  endOfTick: (task) => queueMicrotask(task),
  atExit: () => () => {},
};
