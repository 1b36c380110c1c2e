import { useCallback, useEffect, useRef, useState } from "react";

export interface QueryState<T> {
  readonly data: T | undefined;
  readonly error: unknown;
  /** Nothing has been answered yet. */
  readonly loading: boolean;
  readonly reload: () => void;
}

/**
 * Asks again whenever `key` changes and every `everyMs` while the page is visible.
 * What was answered last stays while a new answer is on its way, unless the key is another.
 */
export function useQuery<T>(key: string, ask: () => Promise<T>, everyMs: number | null = null): QueryState<T> {
  const [state, setState] = useState<{ key: string; data: T | undefined; error: unknown }>({
    key,
    data: undefined,
    error: null,
  });
  const latest = useRef(ask);
  latest.current = ask;
  const turn = useRef(0);

  const reload = useCallback(() => {
    const mine = ++turn.current;
    const settle = (data: T | undefined, error: unknown): void => {
      if (turn.current !== mine) return;
      setState((was) => ({ key, data: data ?? (was.key === key ? was.data : undefined), error }));
    };
    latest.current().then(
      (data) => settle(data, null),
      (error: unknown) => settle(undefined, error),
    );
  }, [key]);

  useEffect(() => {
    reload();
    if (everyMs === null) return () => void turn.current++;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") reload();
    }, everyMs);
    return () => {
      turn.current++;
      clearInterval(timer);
    };
  }, [reload, everyMs]);

  const current = state.key === key;
  const data = current ? state.data : undefined;
  const error = current ? state.error : null;
  return { data, error, loading: data === undefined && error === null, reload };
}
