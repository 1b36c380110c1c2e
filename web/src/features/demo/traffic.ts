import { useEffect, useReducer, useRef } from "react";
import type { DeliveryNotice, QueueEvent } from "../../live/types.js";

export type Lane = "publish" | "deliver" | "mail" | "back" | "aside";

/** One message of somebody else on its way. */
export interface Dot {
  readonly key: number;
  readonly lane: Lane;
  /** Its turn among those that start together. */
  readonly after: number;
}

const LANES: Partial<Record<QueueEvent["kind"], Lane>> = {
  published: "publish",
  acked: "mail",
  retrying: "back",
  dead: "aside",
};

/** How many dots may be on the road: more than that is shown as flow. */
export const DOTS_MAX = 16;
const DOT_MS = 450;
const TURNS = 8;
const TURN_MS = 70;
const DOTS_PER_EVENT = 3;

/** The dots that an event starts: at most three, none for the visitor's own message, which is drawn large. */
export function lanesOf(event: QueueEvent, mine: string | null): readonly Lane[] {
  const lane = LANES[event.kind];
  if (lane === undefined) return [];
  const own = mine !== null && (event.ids?.includes(mine) ?? false) ? 1 : 0;
  return Array.from({ length: Math.min(Math.max(0, (event.count ?? 1) - own), DOTS_PER_EVENT) }, () => lane);
}

type Change = { readonly add: readonly Dot[] } | { readonly drop: ReadonlySet<number> };

function reduce(dots: readonly Dot[], change: Change): readonly Dot[] {
  if ("drop" in change) return dots.filter((dot) => !change.drop.has(dot.key));
  return [...dots, ...change.add].slice(0, DOTS_MAX);
}

/** Dots for what newly happened; what was already there when the page opened does not move. */
export function useTraffic(
  events: readonly QueueEvent[],
  deliveries: readonly DeliveryNotice[],
  mine: string | null,
): readonly Dot[] {
  const [dots, change] = useReducer(reduce, []);
  const seen = useRef<{ position: number; delivered: number } | null>(null);
  const last = useRef(0);

  useEffect(() => {
    const position = Math.max(0, ...events.map((event) => event.position));
    const delivered = Math.max(0, ...deliveries.map((delivery) => delivery.at));
    const was = seen.current;
    seen.current = { position, delivered };
    if (was === null || document.visibilityState === "hidden") return;
    const lanes = [
      ...events.filter((event) => event.position > was.position).flatMap((event) => lanesOf(event, mine)),
      ...deliveries
        .filter((delivery) => delivery.at > was.delivered && delivery.id !== mine)
        .map((): Lane => "deliver"),
    ].slice(0, DOTS_MAX);
    if (lanes.length === 0) return;
    const add = lanes.map((lane, turn) => ({ key: ++last.current, lane, after: turn % TURNS }));
    change({ add });
    const drop = new Set(add.map((dot) => dot.key));
    setTimeout(() => change({ drop }), DOT_MS + TURNS * TURN_MS);
  }, [events, deliveries, mine]);
  return dots;
}
