import { useCallback, useEffect, useRef, useState } from "react";
import type { ListedMessage } from "../../live/types.js";

export interface Page {
  readonly messages: readonly ListedMessage[];
  readonly next: number | null;
  /** How many a search looked through. */
  readonly searched?: number;
}

export interface Browse {
  readonly messages: readonly ListedMessage[] | null;
  readonly error: unknown;
  /** How many a search looked through so far; null when nothing is searched for. */
  readonly searched: number | null;
  /** There are more behind the last. */
  readonly more: boolean;
  /** The queue changed since: `refresh` shows it. */
  readonly changed: boolean;
  readonly loadMore: () => void;
  readonly refresh: () => void;
}

/** No oftener than this is a list read again because the queue changed. */
const AGAIN_MS = 700;

/**
 * Pages of a queue's messages. Looking does not touch them.
 * When `change` differs, the first page is read again, unless `held` (rows are selected or pointed at): then the
 * list only says that it is old.
 */
export function useBrowse(
  key: string,
  change: string,
  held: boolean,
  ask: (after: number | null) => Promise<Page>,
): Browse {
  const [state, setState] = useState<{ key: string; page: Page | null; error: unknown; change: string }>({
    key,
    page: null,
    error: null,
    change: "",
  });
  const latest = useRef(ask);
  latest.current = ask;
  const turn = useRef(0);

  const read = useCallback(
    (after: number | null, so: Page | null, at: string) => {
      const mine = ++turn.current;
      latest.current(after).then(
        (page) => {
          if (turn.current === mine) setState({ key, page: joined(so, page), error: null, change: at });
        },
        (error: unknown) => {
          if (turn.current === mine)
            setState((was) => ({ ...was, key, page: was.key === key ? was.page : null, error, change: at }));
        },
      );
    },
    [key],
  );

  const current = state.key === key ? state : { key, page: null, error: null, change: "" };
  const asked = useRef({ key: "", at: 0 });
  useEffect(() => {
    const first = asked.current.key !== key;
    if (!first && (held || change === current.change)) return;
    const wait = first ? 0 : Math.max(0, asked.current.at + AGAIN_MS - Date.now());
    const timer = setTimeout(() => {
      asked.current = { key, at: Date.now() };
      read(null, null, change);
    }, wait);
    return () => clearTimeout(timer);
  }, [key, change, held, current.change, read]);

  return {
    messages: current.page?.messages ?? null,
    error: current.error,
    searched: current.page?.searched ?? null,
    more: current.page?.next !== null && current.page?.next !== undefined,
    changed: held && current.page !== null && change !== current.change,
    loadMore: () => read(current.page?.next ?? null, current.page, change),
    refresh: () => read(null, null, change),
  };
}

function joined(so: Page | null, page: Page): Page {
  const messages = [...(so?.messages ?? []), ...page.messages];
  if (page.searched === undefined) return { messages, next: page.next };
  return { messages, next: page.next, searched: (so?.searched ?? 0) + page.searched };
}
