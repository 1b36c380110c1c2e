import { type ReactNode, useEffect, useState } from "react";
import { duration } from "../../format/duration.js";
import { stepTitle, stepTone } from "../../format/step.js";
import { clock, exact } from "../../format/time.js";
import { useDurability } from "../../live/engine.js";
import type { TimelineEntry } from "../../live/types.js";
import { Shape } from "../../ui/state.js";
import "./timeline.css";

/** How many steps a timeline shows; in the middle of a longer one some are left out, and it says so. */
const STEPS_MAX = 60;

/** How long until a moment, ten times a second, and nothing once it is past. */
export function Countdown({ to }: { to: number }): ReactNode {
  const [left, setLeft] = useState(() => to - Date.now());
  useEffect(() => {
    setLeft(to - Date.now());
    const timer = setInterval(() => {
      const next = to - Date.now();
      setLeft(next);
      if (next <= 0) clearInterval(timer);
    }, 100);
    return () => clearInterval(timer);
  }, [to]);
  return left > 0 ? <>again in {(left / 1_000).toFixed(1)} s</> : <>again now</>;
}

interface Props {
  readonly steps: readonly TimelineEntry[];
  readonly label?: string;
  /** What happened before the broker knew of it, and after it was done. */
  readonly before?: ReactNode;
  readonly after?: ReactNode;
}

/** The life of a message as an ordered list: what, how long after the step before, and why. */
export function Timeline({ steps, label = "Timeline", before, after }: Props): ReactNode {
  const durability = useDurability();
  const hidden = Math.max(0, steps.length - STEPS_MAX);
  const shown = hidden === 0 ? steps : [...steps.slice(0, 10), ...steps.slice(steps.length - STEPS_MAX + 10)];
  return (
    <ol className="timeline" aria-label={label}>
      {before}
      {shown.map((step, i) => {
        const previous = shown[i - 1];
        const last = i === shown.length - 1;
        return (
          <li key={`${step.at}-${step.kind}-${step.attempt ?? 0}-${step.percent ?? 0}`} className="step">
            <Shape tone={stepTone(step)} />
            <span className="step-title">
              {stepTitle(step, durability)}
              {step.kind === "retrying" && step.due !== undefined && (
                <span className="retrying step-due">
                  , {last ? <Countdown to={step.due} /> : <>again after {duration(step.due - step.at)}</>}
                </span>
              )}
              {step.reason ? <span className="step-reason">{step.reason}</span> : null}
            </span>
            <time className="step-at" dateTime={new Date(step.at).toISOString()} title={exact(step.at)}>
              {previous === undefined ? clock(step.at) : `+${duration(step.at - previous.at)}`}
            </time>
            {hidden > 0 && i === 9 && <span className="step-hidden">{hidden} steps not shown</span>}
          </li>
        );
      })}
      {after}
    </ol>
  );
}
