/** The one place where names change between `snake_case` on the wire and `camelCase` in TypeScript. */
import { isRecord } from "./frame.js";

/** Fields whose content belongs to users or is keyed by names of theirs: it passes unchanged. */
const OPAQUE: ReadonlySet<string> = new Set(["body", "headers", "result", "capabilities", "reasons"]);

const camel = (name: string): string => name.replace(/_([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const convert = (value: unknown, rename: (name: string) => string): unknown => {
  if (Array.isArray(value)) return value.map((item: unknown) => convert(item, rename));
  if (!isRecord(value)) return value;
  const result: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value)) {
    if (name === "__proto__" || item === undefined) continue;
    result[rename(name)] = OPAQUE.has(name) ? item : convert(item, rename);
  }
  return result;
};

/** From the wire. The caller names the shape that docs/protocol.md promises; it is not checked field by field. */
export const fromWire = <T>(value: unknown): T => convert(value, camel) as T;

/** To the wire. */
export const toWire = (value: object): Record<string, unknown> => convert(value, snake) as Record<string, unknown>;
