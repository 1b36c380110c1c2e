import type { ReactNode } from "react";
import { bytes } from "../../format/bytes.js";
import { duration } from "../../format/duration.js";
import { count } from "../../format/number.js";
import type { QueueSettings } from "../../live/types.js";
import { Figure } from "../../ui/views.js";

const orNone = <T,>(value: T | null | undefined, show: (value: T) => ReactNode, none: string): ReactNode =>
  value === null || value === undefined ? <span className="muted">{none}</span> : show(value);

const OVERFLOW = {
  reject: "publishes are refused",
  drop_oldest: "the oldest is dropped",
  dead_letter: "the oldest is dead",
} as const;

/** A queue's settings in force. */
export function Settings({ queue, settings }: { queue: string; settings: QueueSettings }): ReactNode {
  // An empty name is the default one, which is made at first use.
  const deadLetter = settings.deadLetter === "" ? `${queue}.dead` : settings.deadLetter;
  return (
    <dl className="figures settings">
      <Figure label="Lease">{orNone(settings.leaseMs, duration, "default")}</Figure>
      <Figure label="Attempts">{orNone(settings.attemptsMax, count, "default")}</Figure>
      <Figure label="Backoff, doubling">{orNone(settings.backoffMs, duration, "default")}</Figure>
      <Figure label="Longest backoff">{orNone(settings.backoffMaxMs, duration, "default")}</Figure>
      <Figure label="Dead letters go to">
        {orNone(
          deadLetter,
          (name) => (
            <code>{name}</code>
          ),
          "nowhere",
        )}
      </Figure>
      <Figure label="Expire after">{orNone(settings.expireMs, duration, "never")}</Figure>
      <Figure label="Leased at once">{orNone(settings.concurrencyMax, count, "no limit")}</Figure>
      <Figure label="Deliveries">{orNone(settings.rateMax, (most) => `${count(most)}/s at most`, "no limit")}</Figure>
      <Figure label="Most messages">{orNone(settings.lengthMax, count, "no limit")}</Figure>
      <Figure label="Most bytes">{orNone(settings.bytesMax, bytes, "no limit")}</Figure>
      {(settings.lengthMax ?? settings.bytesMax ?? null) !== null && (
        <Figure label="When full">{OVERFLOW[settings.overflow ?? "reject"]}</Figure>
      )}
    </dl>
  );
}
