import { useCallback, useEffect, useRef, useState } from "react";
import type { ListedMessage } from "../../live/types.js";

export interface Page {
  readonly messages: readonly ListedMessage[];
  readonly next: number | null;
}

export interface Browse {
  readonly messages: readonly ListedMessage[] | null;
  readonly error: unknown;
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
    (after: number | null, so: readonly ListedMessage[], at: string) => {
      const mine = ++turn.current;
      latest.current(after).then(
        ({ messages, next }) => {
          if (turn.current === mine)
            setState({ key, page: { messages: [...so, ...messages], next }, error: null, change: at });
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
      read(null, [], change);
    }, wait);
    return () => clearTimeout(timer);
  }, [key, change, held, current.change, read]);

  return {
    messages: current.page?.messages ?? null,
    error: current.error,
    more: current.page?.next !== null && current.page?.next !== undefined,
    changed: held && current.page !== null && change !== current.change,
    loadMore: () => read(current.page?.next ?? null, current.page?.messages ?? [], change),
    refresh: () => read(null, [], change),
  };
}
