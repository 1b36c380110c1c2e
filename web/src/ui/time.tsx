import type { ReactNode } from "react";
import { clock, exact, relative } from "../format/time.js";
import { useNow } from "./now.js";

/** `12 s ago`, with the exact time on hover. */
export function Ago({ at }: { at: number }): ReactNode {
  const now = useNow();
  return (
    <time dateTime={new Date(at).toISOString()} title={exact(at)}>
      {relative(at, Math.max(now, at))}
    </time>
  );
}

/** `in 3 s`, with the exact time on hover; once past, how long ago. */
export function Due({ at }: { at: number }): ReactNode {
  const now = useNow();
  return (
    <time dateTime={new Date(at).toISOString()} title={exact(at)}>
      {relative(at, now)}
    </time>
  );
}

/** The time of day, with date and milliseconds on hover. */
export function Clock({ at }: { at: number }): ReactNode {
  return (
    <time dateTime={new Date(at).toISOString()} title={exact(at)}>
      {clock(at)}
    </time>
  );
}
