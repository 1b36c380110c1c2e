import { useEffect, useRef, useState } from "react";
import type { QueueEvent } from "../../live/types.js";

export interface Feed {
  /** Newest first. */
  readonly rows: readonly QueueEvent[];
  /** How many newer ones wait while the feed is held. */
  readonly waiting: number;
  /** Positions above this one arrived while the page looked. */
  readonly freshFrom: number;
}

/** The newest events, held still while `held`: rows never move under the pointer. */
export function useFeed(events: readonly QueueEvent[], held: boolean): Feed {
  const [still, setStill] = useState<readonly QueueEvent[] | null>(null);
  const latest = useRef(events);
  latest.current = events;
  const previous = useRef(0);
  useEffect(() => setStill(held ? latest.current : null), [held]);

  const shown = still ?? events;
  const newest = shown.at(-1)?.position ?? 0;
  const freshFrom = previous.current;
  useEffect(() => {
    previous.current = newest;
  }, [newest]);
  const waiting = still === null ? 0 : events.filter((event) => event.position > newest).length;
  return { rows: [...shown].reverse(), waiting, freshFrom: freshFrom === 0 ? Number.POSITIVE_INFINITY : freshFrom };
}
