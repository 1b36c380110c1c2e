import { Cog, Globe, Layers, Mailbox as MailboxIcon, Server } from "lucide-react";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { queuePath } from "../../format/address.js";
import { count } from "../../format/number.js";
import { DEAD_STOP, STOP_X, type Stop } from "./stops.js";
import type { Dot } from "./traffic.js";

export interface Stations {
  /** How many sign-ups this visitor has sent. */
  readonly mine: number;
  readonly answerMs: string | null;
  readonly waiting: number;
  readonly retrying: number;
  readonly workers: number;
  readonly held: number;
  readonly letters: number;
  readonly dead: number;
  readonly deadQueue: string;
  readonly brokerUp: boolean;
  readonly mailUp: boolean;
  readonly paused: boolean;
}

interface Props {
  readonly at: Stop | null;
  readonly tone: string;
  readonly stations: Stations;
  readonly dots: readonly Dot[];
  /** Which lanes carry more than single messages can show: express → queue, queue → worker, worker → mailbox. */
  readonly flow: { readonly publish: boolean; readonly work: boolean };
}

/** The road from the browser to the mailbox, with the visitor's message on it. */
export function Road({ at, tone, stations, dots, flow }: Props): ReactNode {
  const s = stations;
  return (
    <div className="road-wrap">
      <ol className="stations" aria-label="The road of a message">
        <Station
          here={at === 0}
          icon={<Globe aria-hidden="true" />}
          name="Browser"
          figure={count(s.mine)}
          note="sent by you"
        />
        <Station
          here={at === 1}
          icon={<Server aria-hidden="true" />}
          name="Express"
          figure={s.answerMs ?? "202"}
          note={s.answerMs === null ? "at once" : "to answer"}
        />
        <Station
          here={at === 2}
          icon={<Layers aria-hidden="true" />}
          name="Queue"
          figure={count(s.waiting)}
          broken={!s.brokerUp}
          note={
            !s.brokerUp
              ? "restarting"
              : s.paused
                ? "paused"
                : s.retrying > 0
                  ? `${count(s.retrying)} to retry`
                  : "waiting"
          }
        />
        <Station
          here={at === 3 || at === 4}
          icon={<Cog aria-hidden="true" />}
          name="Workers"
          figure={count(s.held)}
          broken={s.workers === 0}
          note={s.workers === 0 ? "none running" : `held by ${s.workers}`}
        />
        <Station
          here={at === 5}
          icon={<MailboxIcon aria-hidden="true" />}
          name="Mailbox"
          figure={count(s.letters)}
          broken={!s.mailUp}
          note={s.mailUp ? (s.letters === 1 ? "letter" : "letters") : "mail server down"}
        />
      </ol>
      <div className="road" aria-hidden="true">
        <span className={`lane lane-publish ${flow.publish ? "flow" : ""}`} />
        <span className={`lane lane-work ${flow.work ? "flow" : ""}`} />
        {dots.map((dot) => (
          <span key={dot.key} className={`dot dot-${dot.lane} dot-${dot.after}`} />
        ))}
        {at !== null && (
          <svg
            aria-hidden="true"
            className={`parcel at-${at} ${tone}`}
            viewBox="0 0 34 24"
            width="34"
            height="24"
            data-x={STOP_X[at]}
          >
            <rect x="1.25" y="1.25" width="31.5" height="21.5" rx="3" />
            <path d="m2.5 4 14.5 10L31.5 4" />
          </svg>
        )}
      </div>
      <p className="siding">
        <Link
          href={queuePath(s.deadQueue)}
          className={s.dead > 0 ? "dead" : "muted"}
          aria-current={at === DEAD_STOP ? "step" : undefined}
        >
          Dead letters <strong>{count(s.dead)}</strong>
        </Link>
      </p>
    </div>
  );
}

function Station(props: {
  icon: ReactNode;
  name: string;
  note: string;
  figure: string;
  here: boolean;
  broken?: boolean;
}): ReactNode {
  return (
    <li
      aria-current={props.here ? "step" : undefined}
      className={`station ${props.broken === true ? "broken" : ""} ${props.here ? "here" : ""}`}
    >
      <span className="stone">{props.icon}</span>
      <span className="station-name">{props.name}</span>
      <span className="station-figure">{props.figure}</span>
      <span className="station-note">{props.note}</span>
    </li>
  );
}
