import type { ReactNode } from "react";
import type { MessageState } from "../live/types.js";
import "./state.css";

type Tone = "queued" | "delivered" | "retrying" | "done" | "dead";

const TONE: Record<MessageState, Tone> = {
  queued: "queued",
  delayed: "queued",
  delivered: "delivered",
  retrying: "retrying",
  done: "done",
  dead: "dead",
  expired: "dead",
  kept: "done",
  unrouted: "dead",
  purged: "dead",
  cancelled: "dead",
};

/** The tone of a message's state. */
export const toneOf = (state: MessageState): Tone => TONE[state] ?? "queued";

/** The shape that goes with a tone: ring, dot, triangle, check, cross. Colour never speaks alone. */
export function Shape({ tone, size = 14 }: { tone: Tone; size?: number }): ReactNode {
  return (
    <svg className={`shape ${tone}`} width={size} height={size} viewBox="0 0 14 14" aria-hidden="true">
      {tone === "queued" && <circle cx="7" cy="7" r="4.5" fill="none" stroke="currentColor" strokeWidth="2" />}
      {tone === "delivered" && <circle cx="7" cy="7" r="5" fill="currentColor" />}
      {tone === "retrying" && <path d="M7 2 12.5 12h-11z" fill="currentColor" />}
      {tone === "done" && (
        <path
          d="m2.5 7.5 3 3 6-7"
          fill="none"
          stroke="currentColor"
          strokeWidth="2.2"
          strokeLinecap="round"
          strokeLinejoin="round"
        />
      )}
      {tone === "dead" && (
        <path d="m3 3 8 8m0-8-8 8" fill="none" stroke="currentColor" strokeWidth="2.2" strokeLinecap="round" />
      )}
    </svg>
  );
}

/** A state with its shape and its word. */
export function State({ state, children }: { state: MessageState; children?: ReactNode }): ReactNode {
  const tone = toneOf(state);
  return (
    <span className={`state ${tone}`}>
      <Shape tone={tone} /> {children ?? state}
    </span>
  );
}

export function Tag({ tone, children }: { tone: Tone; children: ReactNode }): ReactNode {
  return (
    <span className={`state ${tone}`}>
      <Shape tone={tone} /> {children}
    </span>
  );
}
