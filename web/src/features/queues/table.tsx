import type { ReactNode } from "react";
import { Link } from "wouter";
import { queuePath } from "../../format/address.js";
import { duration } from "../../format/duration.js";
import { rate } from "../../format/rate.js";
import { HISTORY_SLOTS, HISTORY_SPAN, useRates } from "../../live/history.js";
import type { QueueStats } from "../../live/types.js";
import { Sparkline } from "../../ui/chart.js";
import { Name } from "../../ui/name.js";
import { Num } from "../../ui/num.js";
import { Tag } from "../../ui/state.js";
import { attention } from "./sort.js";
import "../../ui/table.css";

/** Queues as rows, every figure live. */
export function QueueTable({ queues }: { queues: readonly QueueStats[] }): ReactNode {
  return (
    <div className="table-wrap">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Queue</th>
            <th scope="col" className="num">
              Ready
            </th>
            <th scope="col" className="num lesser" title="Wait for an earlier message of their ordering key">
              Parked
            </th>
            <th scope="col" className="num lesser">
              Delayed
            </th>
            <th scope="col" className="num">
              Retrying
            </th>
            <th scope="col" className="num">
              Leased
            </th>
            <th scope="col" className="num">
              Dead so far
            </th>
            <th scope="col" className="num lesser">
              Published
            </th>
            <th scope="col" className="num">
              Done
            </th>
            <th scope="col" className="num lesser">
              Done, last {HISTORY_SPAN}
            </th>
            <th scope="col" className="num">
              Consumers
            </th>
            <th scope="col" className="num">
              Oldest
            </th>
          </tr>
        </thead>
        <tbody>
          {queues.map((queue) => (
            <Row key={queue.name} queue={queue} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ queue }: { queue: QueueStats }): ReactNode {
  const history = useRates(queue.name);
  const note = attention(queue);
  return (
    <tr>
      <td className="named">
        <span className="queue-name">
          <Link className="row-link" href={queuePath(queue.name)} data-row>
            <Name of={queue.name} />
          </Link>
          {note !== null && <Tag tone={queue.deadLetterOf !== undefined ? "dead" : "retrying"}>{note}</Tag>}
        </span>
      </td>
      <Num value={queue.ready} />
      <Num value={queue.parked} lesser />
      <Num value={queue.delayed} lesser />
      <Num value={queue.retrying} />
      <Num value={queue.leased} />
      <Num value={queue.deadTotal} />
      <td className="num lesser">{rate(queue.ratePublished)}</td>
      <td className="num">{rate(queue.rateAcked)}</td>
      <td className="lesser">
        <Sparkline
          values={history.acked}
          slots={HISTORY_SLOTS}
          label={`${queue.name}: ${rate(queue.rateAcked)} done`}
        />
      </td>
      <Num value={queue.consumers} />
      <td className="num">
        {queue.oldestMs === null ? <span className="muted">none</span> : duration(queue.oldestMs)}
      </td>
    </tr>
  );
}
