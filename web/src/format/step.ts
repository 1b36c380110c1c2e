import type { TimelineEntry } from "../live/types.js";

export type StepTone = "queued" | "delivered" | "retrying" | "done" | "dead";

const TONES: Record<TimelineEntry["kind"], StepTone> = {
  published: "queued",
  delivered: "delivered",
  progress: "delivered",
  returned: "queued",
  retrying: "retrying",
  acked: "done",
  dead: "dead",
  redriven: "queued",
  expired: "dead",
  purged: "dead",
  cancelled: "dead",
};

export const stepTone = (step: TimelineEntry): StepTone => TONES[step.kind] ?? "queued";

/** What a confirm means, by durability. */
const CONFIRMED = { sync: "synced to disk", os: "written to disk", memory: "in memory" } as const;
export type Durability = keyof typeof CONFIRMED;

/** One step of a message's life, said to a person; the reason is shown beneath. */
export function stepTitle(step: TimelineEntry, durability: Durability = "sync"): string {
  const who = step.consumer ?? "a worker";
  switch (step.kind) {
    case "published":
      return `In the queue${step.queue ? ` ${step.queue}` : ""}, ${CONFIRMED[durability]}`;
    case "delivered":
      return `Delivered to ${who}${(step.attempt ?? 1) > 1 ? `, attempt ${step.attempt}` : ""}`;
    case "progress":
      return (
        `${step.percent === undefined ? "" : `${step.percent} %`}${step.note ? ` ${step.note}` : ""}`.trim() ||
        "Progress"
      );
    case "returned":
      return `Given back by ${who}, no attempt counted`;
    case "retrying":
      return `Attempt${step.attempt === undefined ? "" : ` ${step.attempt}`} failed`;
    case "acked":
      return `Done by ${who}`;
    case "dead":
      return `Set aside as a dead letter${step.queue ? ` in ${step.queue}` : ""}`;
    case "redriven":
      return `Sent back to the queue${step.queue ? ` ${step.queue}` : ""}`;
    case "expired":
      return "Expired before anyone had it";
    case "purged":
      return "Purged";
    case "cancelled":
      return "Cancelled";
    default:
      return String(step.kind);
  }
}
