import { useEffect, useState } from "react";
import { type Stop, towards } from "./stops.js";

/** How long a message rests at each stop, so that the eye sees them all. */
const HOP_MS = 230;

const still = (): boolean => window.matchMedia?.("(prefers-reduced-motion: reduce)").matches ?? false;

/** Walks to `target` stop by stop; another `key` is another message, which starts at the browser. */
export function useTravel(key: string | null, target: Stop): Stop {
  const [at, setAt] = useState<{ key: string | null; stop: Stop }>({ key, stop: target });
  const here: Stop = at.key === key ? at.stop : 0;
  useEffect(() => {
    if (at.key === key && at.stop === target) return;
    if (still()) return setAt({ key, stop: target });
    const timer = setTimeout(() => setAt({ key, stop: towards(here, target) }), at.key === key ? HOP_MS : 0);
    return () => clearTimeout(timer);
  }, [key, target, at, here]);
  return here;
}
