import type { Link } from "../link.js";
import { fromWire } from "../protocol/case.js";
import { isRecord } from "../protocol/frame.js";
import type { LogLine, MessageInfo } from "../protocol/types.js";
import { Watched, type WatchedView } from "./watched.js";

export interface MessageView extends WatchedView {
  readonly message: MessageInfo | undefined;
  /** What its handlers said, oldest first: the last 200 lines. */
  readonly logs: readonly LogLine[];
}

export const LOGS_MAX = 200;
export const NO_LOGS: readonly LogLine[] = Object.freeze([]);

export type LiveMessage = Watched<MessageView>;

/** The state of one message, and what its handlers say. */
export function liveMessage(link: Link, id: string, capability: string | undefined, onStop: () => void): LiveMessage {
  return new Watched<MessageView>(
    link,
    {
      request: { message: id, ...(capability === undefined ? {} : { capability }) },
      empty: { message: undefined, logs: NO_LOGS },
      read: ({ message, logs }, known) => {
        if (!isRecord(message) && !Array.isArray(logs)) return undefined;
        return {
          ...(isRecord(message) ? { message: fromWire<MessageInfo>(message) } : {}),
          logs: Array.isArray(logs) ? joined(known.logs, fromWire<LogLine[]>(logs)) : known.logs,
        };
      },
    },
    onStop,
  );
}

/** The lines with those that came; what a broker that was started anew says replaces what it no longer knows. */
function joined(known: readonly LogLine[], more: readonly LogLine[]): readonly LogLine[] {
  const first = more[0]?.n ?? Number.POSITIVE_INFINITY;
  return [...known.filter(({ n }) => n < first), ...more].slice(-LOGS_MAX);
}
