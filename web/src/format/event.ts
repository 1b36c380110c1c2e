import type { QueueEvent } from "../live/types.js";
import { counted } from "./number.js";

/** What happened, in one sentence without the queue and the time: those have columns of their own. */
export function sentence(event: QueueEvent): string {
  const messages = counted(event.count ?? 1, "message");
  const by = event.consumer ? ` by ${event.consumer}` : "";
  switch (event.kind) {
    case "declared":
      return "Declared";
    case "deleted":
      return "Deleted";
    case "published":
      return `${messages} published${event.topic ? ` to ${event.topic}` : ""}`;
    case "acked":
      return `${messages} done${by}`;
    case "returned":
      return `${messages} given back${by}, no attempt counted`;
    case "retrying":
      return `${messages} failed${by}${attempt(event)}${because(event.reason)}`;
    case "dead":
      return `${messages} set aside${event.to ? ` in ${event.to}` : ""}${because(event.reason)}`;
    case "redriven":
      return `${messages} redriven`;
    case "purged":
      return `${messages} purged`;
    case "expired":
      return `${messages} expired`;
    case "cancelled":
      return `${messages} cancelled`;
    case "paused":
      return `Queue paused${because(event.reason)}`;
    case "resumed":
      return "Queue resumed";
    case "trimmed":
      return `${messages} let go by retention`;
    case "compacted":
      return `${messages} let go by compaction`;
    case "reset":
      return "Group reset";
    case "bound":
      return `Binding ${event.pattern ?? ""} added`;
    case "unbound":
      return `Binding ${event.pattern ?? ""} removed`;
    case "scheduled":
      return `Schedule ${event.schedule ?? ""} made`;
    case "unscheduled":
      return `Schedule ${event.schedule ?? ""} deleted`;
    case "refused":
      return `Firing of ${event.schedule ?? "a schedule"} refused${because(event.reason)}`;
    case "started":
      return "Broker started";
    default:
      return `${event.kind}, ${messages}`;
  }
}

function attempt(event: QueueEvent): string {
  return event.attempt ? `, attempt ${event.attempt}` : "";
}

function because(reason: string | null | undefined): string {
  return reason ? `: ${reason}` : "";
}
