import { useConnection } from "postroad/react";
import { useEffect, useState } from "react";

export interface LinkState {
  readonly state: "open" | "connecting" | "lost" | "closed";
  /** When the data on the page was last live; null while it is. */
  readonly lostAt: number | null;
}

/** Short interruptions are not worth a banner. */
const PATIENCE_MS = 1_000;

/** The connection as a person sees it: open, not yet, lost for a while, or over. */
export function useLink(): LinkState {
  const connection = useConnection();
  const [wasOpen, setWasOpen] = useState(false);
  const [lostAt, setLostAt] = useState<number | null>(null);
  const open = connection.status === "open";
  useEffect(() => {
    if (open) {
      setWasOpen(true);
      setLostAt(null);
      return;
    }
    if (!wasOpen) return;
    const at = Date.now();
    const timer = setTimeout(() => setLostAt(at), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [open, wasOpen]);
  const state = open ? "open" : connection.status === "closed" ? "closed" : wasOpen ? "lost" : "connecting";
  return { state, lostAt };
}
