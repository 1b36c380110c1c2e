import { type ReactNode, type UIEvent, useEffect, useRef } from "react";
import { Link } from "wouter";
import { messagePath } from "../../format/address.js";
import { duration } from "../../format/duration.js";
import { exact } from "../../format/time.js";
import type { MessageState, TimelineEntry } from "../../live/types.js";
import { Copy } from "../../ui/copy.js";
import { Shape, State } from "../../ui/state.js";
import { Timeline } from "../message/timeline.js";
import type { Mine } from "./mine.js";

export interface Followed {
  readonly state: MessageState | null;
  readonly attempts: number;
  readonly attemptsMax: number;
  readonly percent: number | null;
  readonly note: string | null;
  readonly timeline: readonly TimelineEntry[];
  readonly failure: string | null;
}

/** The road ahead, for someone who has not sent anything yet. */
const AHEAD = [
  "Express answers, before any mail is sent",
  "The broker has your message on its disk",
  "A worker takes it, renders the letter and sends it",
  "The letter lands in the mailbox",
];

interface Props {
  readonly mine: Mine | null;
  readonly followed: Followed;
  readonly arrived: boolean;
}

/** What is announced to a screen reader: outcomes, not every tick. */
function outcome(state: MessageState | null, attempts: number, arrived: boolean): string {
  if (arrived) return "Your letter has arrived.";
  if (state === "retrying") return `Attempt ${attempts} failed; it will be tried again.`;
  if (state === "dead") return "Your message was set aside as a dead letter.";
  return "";
}

/** Without the progress of steps that are over: the message's page has them all. */
export function brief(timeline: readonly TimelineEntry[]): readonly TimelineEntry[] {
  return timeline.filter((step, i) => step.kind !== "progress" || i === timeline.length - 1);
}

/** A scrolling frame that follows its newest step, unless the reader has scrolled up. */
function Steps({ length, children }: { length: number; children: ReactNode }): ReactNode {
  const frame = useRef<HTMLFieldSetElement>(null);
  const follows = useRef(true);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new step is what makes it scroll
  useEffect(() => {
    if (follows.current && frame.current !== null) frame.current.scrollTop = frame.current.scrollHeight;
  }, [length]);
  const onScroll = ({ currentTarget: at }: UIEvent<HTMLFieldSetElement>): void => {
    follows.current = at.scrollHeight - at.scrollTop - at.clientHeight < 24;
  };
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <fieldset ref={frame} className="steps" aria-label="Steps" tabIndex={0} onScroll={onScroll}>
      {children}
    </fieldset>
  );
}

/** The visitor's own message: its state now and every step so far. */
export function YourMessage({ mine, followed, arrived }: Props): ReactNode {
  const { state, attempts, attemptsMax, percent, note, timeline, failure } = followed;
  // The broker counts attempts when they end; the one that runs is the next.
  const attempt = state === "delivered" ? attempts + 1 : attempts;
  return (
    <section className="your-message" aria-label="Your message">
      <header>
        <h2>Your message</h2>
        {mine !== null && state !== null && <State state={state} />}
        {state === "delivered" && note !== null && <span className="small muted">{note}</span>}
        {attempt > 1 && (
          <span className="small muted">
            attempt {attempt} of {attemptsMax}
          </span>
        )}
        {mine !== null && (
          <span className="your-id">
            <Link href={messagePath(mine.id)} className="mono" title="All about this message">
              {mine.id}
            </Link>
            <Copy text={mine.id} label="Copy message id" />
          </span>
        )}
      </header>
      {mine === null ? (
        <div className="your-none muted">
          <p>Nothing on the road yet. Sign up, and this is what you will see, with the time each step took:</p>
          <ol className="timeline" aria-label="What will happen">
            {AHEAD.map((text) => (
              <li key={text} className="step">
                <Shape tone="queued" />
                <span className="step-title">{text}</span>
              </li>
            ))}
          </ol>
        </div>
      ) : (
        <>
          {failure !== null && <p className="dead small">{failure}</p>}
          <div
            className="progress"
            role="progressbar"
            aria-label="Progress"
            aria-valuemin={0}
            aria-valuemax={100}
            aria-valuenow={percent ?? 0}
            data-state={state ?? undefined}
          >
            <span className={`progress-bar p${Math.round((state === "done" ? 100 : (percent ?? 0)) / 10)}`} />
          </div>
          <Steps length={timeline.length + (arrived ? 1 : 0)}>
            <Timeline
              steps={brief(timeline)}
              before={
                <li className="step">
                  <Shape tone="done" />
                  <span className="step-title">Accepted by Express, 202</span>
                  <time className="step-at" title={exact(mine.acceptedAt)}>
                    {duration(mine.answerMs)}
                  </time>
                </li>
              }
              after={
                arrived ? (
                  <li className="step">
                    <Shape tone="done" />
                    <span className="step-title">
                      <strong>The letter is in the mailbox</strong>
                    </span>
                  </li>
                ) : undefined
              }
            />
          </Steps>
        </>
      )}
      <p className="visually-hidden" role="status" aria-label="Outcome">
        {outcome(state, attempts, arrived)}
      </p>
    </section>
  );
}
