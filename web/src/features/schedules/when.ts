import { exactDuration } from "../../format/parse.js";
import type { ScheduleInfo } from "../../live/types.js";

const EVERY_MS_MIN = 1_000;

/** When a schedule fires, in words as far as there are any: `every 5 min`, `0 3 * * * in Europe/Berlin`. */
export function whenOf({ cron, everyMs, zone }: Pick<ScheduleInfo, "cron" | "everyMs" | "zone">): string {
  return cron === null ? `every ${exactDuration(everyMs ?? 0)}` : `${cron} in ${zone}`;
}

/** Where a schedule publishes to. */
export function targetOf(schedule: ScheduleInfo): {
  readonly kind: "queue" | "stream" | "topic";
  readonly name: string;
} {
  if (schedule.stream !== undefined) return { kind: "stream", name: schedule.stream };
  if (schedule.topic !== undefined) return { kind: "topic", name: schedule.topic };
  return { kind: "queue", name: schedule.queue ?? "" };
}

/** What is wrong with a cron expression at a glance; the broker says the rest. */
export function cronError(text: string): string | null {
  const fields = text.trim().split(/\s+/);
  return fields.length === 5 ? null : "Five fields: minute, hour, day, month, weekday.";
}

/** What is wrong with an interval, or null. */
export const everyError = (ms: number | null): string | null =>
  ms === null ? "Such as 30 s, 5 min, 1 h." : ms < EVERY_MS_MIN ? "At least 1 s." : null;

/** Zones that the browser knows; the broker knows the same. */
export const zones = (): readonly string[] => ["UTC", ...Intl.supportedValuesOf("timeZone")];
