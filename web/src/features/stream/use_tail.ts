import { useStream } from "postroad/react";
import { useEffect, useMemo, useRef, useState } from "react";
import { rowOf, type StreamRow } from "./rows.js";

export interface Tail {
  readonly status: string;
  readonly error: unknown;
  /** Newest first. */
  readonly rows: readonly StreamRow[];
  /** How many came while it was held. */
  readonly waiting: number;
  /** Offsets above this one came while the page looked. */
  readonly freshFrom: number;
}

const SHOWN_MAX = 100;

/** The newest messages of a stream as they come, held still while `held`: rows never move under the pointer. */
export function useTail(name: string | null, held: boolean): Tail {
  const { messages, status, error } = useStream(name, { keep: SHOWN_MAX });
  const [still, setStill] = useState<typeof messages | null>(null);
  const latest = useRef(messages);
  latest.current = messages;
  useEffect(() => setStill(held ? latest.current : null), [held]);
  const shown = still ?? messages;
  const newest = shown.at(-1)?.offset ?? -1;
  const previous = useRef(-1);
  const freshFrom = previous.current;
  useEffect(() => {
    previous.current = newest;
  }, [newest]);
  const rows = useMemo(() => shown.map(rowOf).reverse(), [shown]);
  const waiting = still === null ? 0 : Math.max(0, (messages.at(-1)?.offset ?? -1) - newest);
  return { status, error, rows, waiting, freshFrom: freshFrom < 0 ? Number.POSITIVE_INFINITY : freshFrom };
}
