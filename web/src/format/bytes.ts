import { UNKNOWN } from "./number.js";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** A size with at most one decimal and its binary unit: `0 B`, `1.5 KiB`, `12 MiB`; a dash for one that the engine cannot tell. */
export function bytes(value: number | null): string {
  if (value === null) return UNKNOWN;
  let size = value;
  let unit = 0;
  while (size >= 1_024 && unit < UNITS.length - 1) {
    size /= 1_024;
    unit++;
  }
  const digits = unit === 0 || size >= 10 ? 0 : 1;
  return `${size.toFixed(digits).replace(/\.0$/, "")} ${UNITS[unit]}`;
}
