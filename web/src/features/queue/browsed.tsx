import { type ReactNode, useState } from "react";
import { useCannot } from "../../live/engine.js";
import { Button } from "../../ui/button.js";
import { ErrorView, Panel, Skeleton } from "../../ui/views.js";
import { Cannot } from "../engine/needs.js";
import { type Search, searchFields } from "./search.js";
import { SearchBox } from "./search_box.js";
import { SearchedSoFar } from "./searched.js";
import { type Browse, type Page, useBrowse } from "./use_browse.js";

/** How many messages are read at a time. */
export const LIMIT = 50;

const NOTHING: Page = { messages: [], next: null };

type Fields = ReturnType<typeof searchFields>;

export interface Browsing {
  readonly list: Browse;
  readonly search: Search | null;
  readonly setSearch: (search: Search | null) => void;
  /** What is searched for; null for a list of all. */
  readonly fields: Fields;
  readonly setPointed: (pointed: boolean) => void;
  /** Why this engine cannot be looked into; nothing is asked then. */
  readonly cannot: string | null;
}

/**
 * The list of one queue's messages, with its search, held still while the pointer is on it.
 *
 * @param key - another one begins anew, as another search does.
 * @param change - what changes when the queue does; then it is read again.
 * @param held - it must not be read again now.
 */
export function useBrowsing(
  key: string,
  change: string,
  held: boolean,
  ask: (fields: Fields, after: { after?: number; limit: number }) => Promise<Page>,
): Browsing {
  const cannot = useCannot("peek");
  const [search, setSearch] = useState<Search | null>(null);
  const [pointed, setPointed] = useState(false);
  const fields = search === null ? null : searchFields(search);
  // What was found stays until it is asked for anew: a search reads many bodies.
  const still = held || pointed || fields !== null;
  const list = useBrowse(`${key} ${JSON.stringify(fields)} ${cannot ?? ""}`, change, still, async (after) =>
    cannot === null ? ask(fields, { limit: LIMIT, ...(after === null ? {} : { after }) }) : NOTHING,
  );
  return { list, search, setSearch, fields, setPointed, cannot };
}

interface Props {
  readonly title: string;
  readonly browsing: Browsing;
  /** Beside the search. */
  readonly tools: ReactNode;
  readonly note?: ReactNode;
  /** What they are called in a sentence. */
  readonly what: string;
  readonly empty: ReactNode;
  /** What can still be said where the engine cannot be looked into. */
  readonly blind: ReactNode;
  readonly head: ReactNode;
  readonly children: ReactNode;
}

/** A panel with messages as rows: what is loading, failed, empty, old, or not to be seen on this engine. */
export function Browsed({ title, browsing, tools, note, what, empty, blind, head, children }: Props): ReactNode {
  const { list, search, setSearch, fields, setPointed, cannot } = browsing;
  const cannotSearch = useCannot("search");
  return (
    <Panel
      title={title}
      flush
      className="live"
      aside={
        <div className="filters">
          {list.changed && (
            <button type="button" className="pill" onClick={list.refresh}>
              Changed: show
            </button>
          )}
          {cannot === null && <SearchBox search={search} set={setSearch} off={cannotSearch} />}
          {tools}
        </div>
      }
    >
      {note}
      {cannot === null && fields !== null && <SearchedSoFar list={list} />}
      {cannot !== null ? (
        <Cannot reason={cannot}>{blind}</Cannot>
      ) : list.error !== null && list.messages === null ? (
        <ErrorView title={`The ${what} could not be read`} error={list.error} retry={list.refresh} />
      ) : list.messages === null ? (
        <Skeleton rows={5} label={`Loading ${what}`} />
      ) : list.messages.length === 0 ? (
        fields === null && empty
      ) : (
        <div
          className="table-wrap rows"
          onPointerEnter={() => setPointed(true)}
          onPointerLeave={() => setPointed(false)}
        >
          <table className="table">
            <thead>
              <tr>{head}</tr>
            </thead>
            <tbody>{children}</tbody>
          </table>
          {list.more && fields === null && (
            <p className="table-more">
              <Button className="small" onClick={list.loadMore}>
                Show {LIMIT} more
              </Button>
            </p>
          )}
        </div>
      )}
    </Panel>
  );
}
