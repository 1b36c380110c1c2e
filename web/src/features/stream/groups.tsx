import { type ReactNode, useState } from "react";
import { Link } from "wouter";
import { groupName, queuePath } from "../../format/address.js";
import { count } from "../../format/number.js";
import { rate } from "../../format/rate.js";
import type { Act } from "../../live/rights.js";
import type { GroupStats, StreamStats } from "../../live/types.js";
import { Button } from "../../ui/button.js";
import { Name } from "../../ui/name.js";
import { Num } from "../../ui/num.js";
import { Tag } from "../../ui/state.js";
import { byLag, groupAttention } from "../streams/sort.js";
import { Reset } from "./reset.js";
import { Road } from "./road.js";

/** The groups of a stream: where each is, what it does, how to put it elsewhere. */
export function Groups({ stream, manage }: { stream: StreamStats; manage: Act }): ReactNode {
  const [resetting, setResetting] = useState<GroupStats | null>(null);
  return (
    <>
      <div className="table-wrap">
        <table className="table">
          <thead>
            <tr>
              <th scope="col">Group</th>
              <th scope="col">Position</th>
              <th scope="col" className="num">
                Committed
              </th>
              <th scope="col" className="num">
                Lag
              </th>
              <th scope="col" className="num">
                Ready
              </th>
              <th scope="col" className="num" title="Wait for an earlier message of their ordering key">
                Parked
              </th>
              <th scope="col" className="num">
                Leased
              </th>
              <th scope="col" className="num">
                Retrying
              </th>
              <th scope="col" className="num">
                Dead
              </th>
              <th scope="col" className="num">
                Done
              </th>
              <th scope="col" className="num">
                Consumers
              </th>
              <th scope="col" className="num">
                Trimmed
              </th>
              {stream.settings.compaction && (
                <th scope="col" className="num" title="Not settled when a newer message of their key came">
                  Compacted
                </th>
              )}
              <th scope="col">
                <span className="visually-hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {byLag(stream.groups).map((group) => (
              <Row key={group.name} stream={stream} group={group} manage={manage} reset={() => setResetting(group)} />
            ))}
          </tbody>
        </table>
      </div>
      <Reset stream={stream.name} group={resetting} close={() => setResetting(null)} />
    </>
  );
}

interface RowProps {
  readonly stream: StreamStats;
  readonly group: GroupStats;
  readonly manage: Act;
  readonly reset: () => void;
}

function Row({ stream, group, manage, reset }: RowProps): ReactNode {
  const name = groupName(group.name);
  const note = groupAttention(group);
  return (
    <tr>
      <td className="named">
        <span className="queue-name">
          <code>
            <Name of={name} />
          </code>
          {note !== null && <Tag tone="retrying">{note}</Tag>}
        </span>
      </td>
      <td>
        <Road earliest={stream.earliest} next={stream.next} committed={group.committed} label={name} />
      </td>
      <td className="num">{count(group.committed)}</td>
      <Num value={group.lag} />
      <Num value={group.ready} />
      <Num value={group.parked} />
      <Num value={group.leased} />
      <Num value={group.retrying} />
      <td className={group.deadTotal === 0 ? "num zero" : "num"}>
        {group.deadTotal === 0 ? (
          "0"
        ) : (
          <Link href={queuePath(`${stream.name}.${name}.dead`)}>{count(group.deadTotal)}</Link>
        )}
      </td>
      <td className="num">{rate(group.rateAcked)}</td>
      <Num value={group.consumers} />
      <Num value={group.trimmedTotal} />
      {stream.settings.compaction && <Num value={group.compactedTotal ?? null} />}
      <td className="right">
        <Button className="small" aria-label={`Reset ${name}`} refused={manage.refused} onClick={reset}>
          Reset
        </Button>
      </td>
    </tr>
  );
}
