import { useCallback, useState } from "react";

/** A sign-up made on this page, with the capability that lets it be followed. */
export interface Mine {
  readonly id: string;
  readonly watch: string;
  readonly name: string;
  /** When Express said 202, and how long it took. */
  readonly acceptedAt: number;
  readonly answerMs: number;
}

const KEPT_MAX = 6;
const KEY = "postroad-demo-mine";

function stored(): readonly Mine[] {
  try {
    const list: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
    return Array.isArray(list) ? (list as Mine[]) : [];
  } catch {
    return [];
  }
}

/** The visitor's own messages, newest first; they survive a reload of the tab. */
export function useMine(): {
  list: readonly Mine[];
  shown: Mine | null;
  add: (mine: Mine) => void;
  show: (id: string) => void;
} {
  const [list, setList] = useState(stored);
  const [id, setId] = useState(() => list[0]?.id ?? null);
  const add = useCallback((mine: Mine) => {
    setId(mine.id);
    setList((was) => {
      const next = [mine, ...was.filter((one) => one.id !== mine.id)].slice(0, KEPT_MAX);
      try {
        sessionStorage.setItem(KEY, JSON.stringify(next));
      } catch {
        // Without storage they are gone at the next reload.
      }
      return next;
    });
  }, []);
  return { list, shown: list.find((one) => one.id === id) ?? null, add, show: setId };
}
