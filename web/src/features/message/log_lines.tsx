import type { LogLine } from "postroad";
import { type ReactNode, useEffect, useRef } from "react";
import { clock, exact } from "../../format/time.js";
import "./log_lines.css";

const NEAR_PX = 40;

/** What the handlers of a message said; the newest stays in sight, unless somebody scrolls back. */
export function LogLines({ lines }: { lines: readonly LogLine[] }): ReactNode {
  const list = useRef<HTMLOListElement>(null);
  const follows = useRef(true);
  const last = lines.at(-1)?.n;
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is the new line that moves the list
  useEffect(() => {
    if (follows.current && list.current !== null) list.current.scrollTop = list.current.scrollHeight;
  }, [last]);
  return (
    <ol
      ref={list}
      className="log-lines"
      aria-label="Log lines"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      onScroll={({ currentTarget: { scrollTop, clientHeight, scrollHeight } }) => {
        follows.current = scrollTop + clientHeight > scrollHeight - NEAR_PX;
      }}
    >
      {lines.map(({ n, at, level, text, attempt, consumer }) => (
        <li key={n} className={`log-line log-${level}`}>
          <time dateTime={new Date(at).toISOString()} title={`${exact(at)}, attempt ${attempt}, ${consumer}`}>
            {clock(at)}
          </time>
          {level !== "info" && <span className="log-level">{level}</span>}
          <span className="log-text">{text}</span>
        </li>
      ))}
    </ol>
  );
}
