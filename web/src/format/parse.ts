/** What people type into fields: durations, sizes, headers. Each has its exact inverse, so that a form changes nothing by itself. */

const SPANS = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SIZES = { B: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 } as const;

/** Milliseconds of `90 s`, `1 h 30 min`, `7 d`, `500 ms`; a bare number is seconds; null if it is none of these. */
export const parseDuration = (text: string): number | null => parse(text, SPANS, "s");

/** `1 h 30 min`: exact, in the fewest units. */
export const exactDuration = (ms: number): string => spell(ms, SPANS, "ms");

/** Bytes of `64 KiB`, `1.5 MiB`, `100`; null if it is none of these. */
export const parseBytes = (text: string): number | null => parse(text, SIZES, "B");

/** `1 MiB 512 KiB`: exact, in the fewest units. */
export const exactBytes = (size: number): string => spell(size, SIZES, "B");

function parse(text: string, units: Readonly<Record<string, number>>, bare: string): number | null {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)\s*([a-z]*)\s*/gi)];
  if (parts.length === 0 || parts.map(([all]) => all).join("") !== text.trim()) return null;
  let sum = 0;
  for (const [, number = "", name = ""] of parts) {
    const unit = Object.keys(units).find((one) => one.toLowerCase() === (name || bare).toLowerCase());
    if (unit === undefined || (name === "" && parts.length > 1)) return null;
    sum += Number(number) * (units[unit] ?? 0);
  }
  return Number.isSafeInteger(Math.round(sum)) ? Math.round(sum) : null;
}

function spell(value: number, units: Readonly<Record<string, number>>, smallest: string): string {
  let rest = value;
  const parts: string[] = [];
  for (const [name, size] of Object.entries(units).reverse()) {
    const whole = Math.floor(rest / size);
    rest -= whole * size;
    if (whole > 0) parts.push(`${whole} ${name}`);
  }
  return parts.join(" ") || `0 ${smallest}`;
}

/** Headers from lines of `name: value`; the text of what is wrong if a line is not. */
export function parseHeaders(text: string): Readonly<Record<string, string>> | string {
  const headers: Record<string, string> = {};
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const at = line.indexOf(":");
    if (at < 1) return `"${line.trim()}" is not name: value.`;
    headers[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  }
  return headers;
}

export const headerLines = (headers: Readonly<Record<string, string>> | null | undefined): string =>
  Object.entries(headers ?? {})
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n");
