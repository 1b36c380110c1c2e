import { useEvents } from "postroad/react";
import type { ReactNode } from "react";
import type { DeliveryNotice } from "../../live/types.js";
import { Road, type Stations } from "./road.js";
import type { Stop } from "./stops.js";
import { useTraffic } from "./traffic.js";

/** From this rate on a lane shows flow: single messages could not be told apart. */
const FLOW_RATE = 3;
const LAST = 50;

interface Props {
  readonly at: Stop | null;
  readonly tone: string;
  readonly mine: string | null;
  readonly queue: string;
  readonly deliveries: readonly DeliveryNotice[];
  readonly ratePublished: number;
  readonly rateAcked: number;
  readonly stations: Stations;
}

/** The road with the traffic of the moment; it renders on its own, so that events do not redraw the page. */
export function RoadLive({ at, tone, mine, queue, deliveries, ratePublished, rateAcked, stations }: Props): ReactNode {
  const { events } = useEvents(queue, { last: LAST });
  const dots = useTraffic(events, deliveries, mine);
  return (
    <Road
      at={at}
      tone={tone}
      stations={stations}
      dots={dots}
      flow={{ publish: ratePublished >= FLOW_RATE, work: rateAcked >= FLOW_RATE }}
    />
  );
}
