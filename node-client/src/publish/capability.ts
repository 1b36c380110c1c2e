import { platform } from "#platform";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** The watch capability of message `index` of a batch (docs/protocol.md §4.3). */
export function capability(watchKey: string, index: number): string {
  const digest = platform.sha256(`${watchKey}:${index}`);
  let text = "";
  let held = 0;
  let bits = 0;
  for (const byte of digest.subarray(0, 16)) {
    held = ((held << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text += ALPHABET[(held >> bits) & 63] ?? "";
    }
  }
  return bits === 0 ? text : text + (ALPHABET[(held << (6 - bits)) & 63] ?? "");
}
