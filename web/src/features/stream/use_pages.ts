import { useCallback, useEffect, useRef, useState } from "react";
import { readStream, type StoredMessage } from "../../api/streams.js";
import { useToken } from "../../live/session.js";
import type { StartFrom } from "../../live/types.js";

export interface Pages {
  /** In order of their offsets; null before the first answer. */
  readonly rows: readonly StoredMessage[] | null;
  readonly more: boolean;
  readonly error: unknown;
  readonly loadMore: () => void;
  readonly retry: () => void;
}

export const PAGE = 100;

interface State {
  readonly of: string;
  readonly rows: readonly StoredMessage[] | null;
  readonly next: number;
  readonly more: boolean;
  readonly error: unknown;
}

/** Pages of a stream from a place on; without a place nothing is asked. */
export function usePages(name: string, from: StartFrom | null): Pages {
  const of = `${name} ${JSON.stringify(from)}`;
  const empty: State = { of, rows: null, next: 0, more: false, error: null };
  const [state, setState] = useState(empty);
  const turn = useRef(0);
  const token = useToken();
  const read = useCallback(
    (place: StartFrom, so: readonly StoredMessage[]) => {
      const mine = ++turn.current;
      readStream(name, place, PAGE, token).then(
        ({ messages, next }) => {
          if (turn.current !== mine) return;
          setState({ of, rows: [...so, ...messages], next, more: messages.length === PAGE, error: null });
        },
        (error: unknown) => {
          if (turn.current === mine) setState((was) => ({ ...was, of, rows: was.of === of ? was.rows : null, error }));
        },
      );
    },
    [name, of, token],
  );
  const place = useRef(from);
  place.current = from;
  const begin = useCallback(() => {
    if (place.current !== null) read(place.current, []);
  }, [read]);
  useEffect(() => {
    begin();
    return () => void turn.current++;
  }, [begin]);
  const now = state.of === of ? state : empty;
  return {
    rows: now.rows,
    more: now.more,
    error: now.error,
    loadMore: () => read({ offset: now.next }, now.rows ?? []),
    retry: begin,
  };
}
