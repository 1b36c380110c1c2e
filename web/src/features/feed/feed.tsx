import { Pause, Play } from "lucide-react";
import { useEvents } from "postroad/react";
import { type ReactNode, useMemo, useState } from "react";
import { Link } from "wouter";
import { messagePath } from "../../format/address.js";
import { sentence } from "../../format/event.js";
import { count } from "../../format/number.js";
import { usePlacePath } from "../../live/links.js";
import type { QueueEvent } from "../../live/types.js";
import { Button } from "../../ui/button.js";
import { Shape } from "../../ui/state.js";
import { Clock } from "../../ui/time.js";
import { useFeed } from "./use_feed.js";
import "../../ui/table.css";
import "./feed.css";

const LAST = 200;
const SHOWN_MAX = 60;
const MARKED_MAX = 3;

const GROUPS: Readonly<Record<string, readonly string[]>> = {
  "all kinds": [],
  published: ["published"],
  done: ["acked"],
  retries: ["retrying", "returned"],
  "dead letters": ["dead", "redriven"],
  administration: [
    "declared",
    "deleted",
    "purged",
    "paused",
    "resumed",
    "cancelled",
    "expired",
    "started",
    "trimmed",
    "compacted",
    "reset",
    "bound",
    "unbound",
    "scheduled",
    "unscheduled",
    "refused",
  ],
};

export function eventTone(kind: string): "queued" | "delivered" | "retrying" | "done" | "dead" {
  if (kind === "acked") return "done";
  if (kind === "retrying" || kind === "returned") return "retrying";
  if (["dead", "purged", "expired", "cancelled", "deleted", "refused"].includes(kind)) return "dead";
  return kind === "redriven" || kind === "resumed" ? "delivered" : "queued";
}

/** Whether an event passes the filters. */
export function passes(event: QueueEvent, group: string, text: string): boolean {
  const kinds = GROUPS[group] ?? [];
  if (kinds.length > 0 && !kinds.includes(event.kind)) return false;
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return true;
  return [event.queue, event.consumer, event.reason, ...(event.ids ?? [])].some(
    (part) => part?.toLowerCase().includes(wanted) ?? false,
  );
}

/** The live feed of what became durable, of one queue or of all; it can be paused and filtered. */
export function Feed({ queue }: { queue: string | null }): ReactNode {
  const placePath = usePlacePath();
  const { events, skipped } = useEvents(queue, { last: LAST });
  const [paused, setPaused] = useState(false);
  const [pointed, setPointed] = useState(false);
  const [group, setGroup] = useState("all kinds");
  const [text, setText] = useState("");
  const matching = useMemo(() => events.filter((event) => passes(event, group, text)), [events, group, text]);
  const feed = useFeed(matching, paused || pointed);
  // At speed everything is new: then nothing is marked.
  const marks = feed.rows.filter((event) => event.position > feed.freshFrom).length <= MARKED_MAX;
  const release = (): void => {
    setPaused(false);
    setPointed(false);
  };
  return (
    <section className="panel feed" aria-label="Live feed">
      <header className="panel-head">
        <h2>Live feed</h2>
        <div className="feed-tools">
          {feed.waiting > 0 && (
            <button type="button" className="pill" onClick={release}>
              {count(feed.waiting)} new
            </button>
          )}
          <label className="visually-hidden" htmlFor="feed-kind">
            Kind
          </label>
          <select id="feed-kind" className="select" value={group} onChange={(event) => setGroup(event.target.value)}>
            {Object.keys(GROUPS).map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
          <label className="visually-hidden" htmlFor="feed-text">
            Filter
          </label>
          <input
            id="feed-text"
            className="input"
            type="search"
            data-search
            placeholder="id, worker, reason"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
          <Button className="small" aria-pressed={paused} onClick={() => setPaused(!paused)}>
            {paused ? <Play size={14} aria-hidden="true" /> : <Pause size={14} aria-hidden="true" />}
            {paused ? "Go on" : "Pause"}
          </Button>
        </div>
      </header>
      {(skipped ?? 0) > 0 && (
        <p className="feed-skipped small muted">
          {count(skipped)} events were left out: this page was slower than they came.
        </p>
      )}
      <div
        className="table-wrap feed-rows"
        onPointerEnter={() => setPointed(true)}
        onPointerLeave={() => setPointed(false)}
      >
        <table className="table">
          <thead>
            <tr>
              <th scope="col">Time</th>
              {queue === null && <th scope="col">Queue</th>}
              <th scope="col">What</th>
              <th scope="col">Message</th>
            </tr>
          </thead>
          <tbody>
            {feed.rows.slice(0, SHOWN_MAX).map((event) => (
              <tr key={event.position} className={marks && event.position > feed.freshFrom ? "fresh" : undefined}>
                <td className="muted nowrap">
                  <Clock at={event.at} />
                </td>
                {queue === null && (
                  <td>
                    {event.queue ? (
                      <Link className="row-link" href={placePath(event.queue)}>
                        {event.queue}
                      </Link>
                    ) : null}
                  </td>
                )}
                <td>
                  <span className="feed-what">
                    <Shape tone={eventTone(event.kind)} size={12} /> <span>{sentence(event)}</span>
                  </span>
                </td>
                <td>
                  {event.ids?.[0] !== undefined && (
                    <Link className="row-link muted" href={messagePath(event.ids[0])}>
                      {event.ids[0]}
                    </Link>
                  )}
                  {event.ids?.[0] !== undefined && (event.count ?? 0) > 1 && (
                    <span className="muted"> +{count((event.count ?? 1) - 1)}</span>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        {feed.rows.length === 0 && (
          <p className="feed-none muted">
            {events.length === 0
              ? "Nothing has happened yet. Every durable record appears here as it is synced."
              : "No event matches the filter."}
          </p>
        )}
      </div>
    </section>
  );
}
