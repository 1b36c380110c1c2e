import { Pause, Play } from "lucide-react";
import { type FormEvent, type ReactNode, useState } from "react";
import { count } from "../../format/number.js";
import { localTime, type PlaceKind, placeName, placeOf } from "../../format/place.js";
import type { StartFrom } from "../../live/types.js";
import { Button } from "../../ui/button.js";
import { Empty, ErrorView, Panel, Skeleton } from "../../ui/views.js";
import { StreamRows } from "./table.js";
import { PAGE, usePages } from "./use_pages.js";
import { useTail } from "./use_tail.js";

const KINDS: readonly (readonly [PlaceKind, string])[] = [
  ["latest", "live, newest first"],
  ["earliest", "from the earliest"],
  ["offset", "from an offset"],
  ["time", "from a time"],
];

/** Looks into a stream: live, or from a place on. Reading settles nothing and no group notices. */
export function StreamMessages({ stream, snippet }: { stream: string; snippet: string }): ReactNode {
  const [kind, setKind] = useState<PlaceKind>("latest");
  const [offset, setOffset] = useState("0");
  const [time, setTime] = useState(() => localTime(Date.now() - 3_600_000));
  const [from, setFrom] = useState<StartFrom>("latest");
  const [paused, setPaused] = useState(false);
  const [pointed, setPointed] = useState(false);
  const live = from === "latest";
  const tail = useTail(live ? stream : null, paused || pointed);
  const pages = usePages(stream, live ? null : from);
  const typed = placeOf({ kind, offset, time });

  const choose = (next: PlaceKind): void => {
    setKind(next);
    setPaused(false);
    if (next === "latest" || next === "earliest") setFrom(next);
  };
  const go = (event: FormEvent): void => {
    event.preventDefault();
    if (typed !== null) setFrom(typed);
  };
  const rows = live ? tail.rows : pages.rows;
  const error = live ? tail.error : pages.error;
  const waits = live ? tail.status === "loading" || tail.status === "idle" : pages.rows === null;
  return (
    <Panel
      title="Messages"
      flush
      className="live"
      aside={
        <form className="filters" onSubmit={go}>
          {live && tail.waiting > 0 && (
            <button
              type="button"
              className="pill"
              onClick={() => {
                setPaused(false);
                setPointed(false);
              }}
            >
              {count(tail.waiting)} new
            </button>
          )}
          <label className="visually-hidden" htmlFor="stream-from">
            Show
          </label>
          <select
            id="stream-from"
            className="select"
            value={kind}
            onChange={(event) => choose(event.target.value as PlaceKind)}
          >
            {KINDS.map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </select>
          {kind === "offset" && (
            <input
              className="input offset-input"
              aria-label="Offset"
              inputMode="numeric"
              data-search
              value={offset}
              onChange={(event) => setOffset(event.target.value)}
            />
          )}
          {kind === "time" && (
            <input
              className="input"
              type="datetime-local"
              step={1}
              aria-label="Time"
              value={time}
              onChange={(event) => setTime(event.target.value)}
            />
          )}
          {(kind === "offset" || kind === "time") && (
            <Button className="small" type="submit" disabled={typed === null}>
              Go
            </Button>
          )}
          {live && (
            <Button className="small" aria-pressed={paused} onClick={() => setPaused(!paused)}>
              {paused ? <Play size={14} aria-hidden="true" /> : <Pause size={14} aria-hidden="true" />}
              {paused ? "Go on" : "Pause"}
            </Button>
          )}
        </form>
      }
    >
      {error !== null && error !== undefined && (rows === null || rows.length === 0) ? (
        <ErrorView title="The messages could not be read" error={error} retry={pages.retry} />
      ) : rows === null || (waits && rows.length === 0) ? (
        <Skeleton rows={6} label="Loading messages" />
      ) : rows.length === 0 ? (
        live ? (
          <Empty title="Nothing is kept here" code={snippet}>
            What is published appears here at once.
          </Empty>
        ) : (
          <Empty title={`Nothing from ${placeName(from)} on`} />
        )
      ) : (
        <div
          className="table-wrap rows"
          onPointerEnter={() => setPointed(true)}
          onPointerLeave={() => setPointed(false)}
        >
          <StreamRows rows={rows} freshFrom={live ? tail.freshFrom : Number.POSITIVE_INFINITY} />
          {!live && pages.more && (
            <p className="table-more">
              <Button className="small" onClick={pages.loadMore}>
                Show {PAGE} more
              </Button>
            </p>
          )}
        </div>
      )}
    </Panel>
  );
}
