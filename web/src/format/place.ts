import type { StartFrom } from "../live/types.js";
import { count } from "./number.js";
import { exact } from "./time.js";

/** How a place in a stream is chosen. */
export const PLACES = ["earliest", "latest", "offset", "time"] as const;
export type PlaceKind = (typeof PLACES)[number];

export interface PlaceText {
  readonly kind: PlaceKind;
  readonly offset: string;
  /** As `<input type="datetime-local">` has it, in the zone of the browser. */
  readonly time: string;
}

/** A place as it was typed, or null while it is none. */
export function placeOf({ kind, offset, time }: PlaceText): StartFrom | null {
  if (kind === "earliest" || kind === "latest") return kind;
  if (kind === "offset") {
    const number = Number(offset.replaceAll(",", ""));
    return offset.trim() !== "" && Number.isSafeInteger(number) && number >= 0 ? { offset: number } : null;
  }
  const at = new Date(time).getTime();
  return Number.isNaN(at) || at < 0 ? null : { at };
}

/** A place in words: `the earliest message`, `the end`, `offset 1,200`, `24 Nov 2026, 10:00:00.000`. */
export function placeName(place: StartFrom): string {
  if (place === "earliest") return "the earliest message";
  if (place === "latest") return "the end";
  return "offset" in place ? `offset ${count(place.offset)}` : exact(place.at);
}

/** A time as `<input type="datetime-local">` wants it, to the second. */
export function localTime(at: number): string {
  const local = new Date(at - new Date(at).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19);
}
