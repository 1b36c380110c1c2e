import { duration } from "./duration.js";

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const EXACT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** The time of day: `14:03:07`. */
export function clock(at: number): string {
  return CLOCK.format(at);
}

/** Date and time with milliseconds, for titles: `3 Nov 2026, 14:03:07.042`. */
export function exact(at: number): string {
  return `${EXACT.format(at)}.${String(Math.trunc(at) % 1_000).padStart(3, "0")}`;
}

/** How long ago or how soon, coarse: `just now`, `12 s ago`, `in 3 s`. */
export function relative(at: number, now: number): string {
  const span = now - at;
  if (Math.abs(span) < 1_000) return span < 0 ? "now" : "just now";
  // The past is rounded down and the future up: neither says that more has happened than has.
  const seconds = span > 0 ? Math.floor(span / 1_000) : Math.ceil(-span / 1_000);
  const coarse = duration(seconds * 1_000)
    .split(" ")
    .slice(0, 2)
    .join(" ");
  return span > 0 ? `${coarse} ago` : `in ${coarse}`;
}
