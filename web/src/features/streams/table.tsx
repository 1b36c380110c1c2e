import type { ReactNode } from "react";
import { Link } from "wouter";
import { groupName, streamPath } from "../../format/address.js";
import { bytes } from "../../format/bytes.js";
import { duration } from "../../format/duration.js";
import { count } from "../../format/number.js";
import { rate } from "../../format/rate.js";
import type { RatedStream } from "../../live/streams.js";
import type { GroupStats } from "../../live/types.js";
import { Name } from "../../ui/name.js";
import { Tag } from "../../ui/state.js";
import { byLag, groupAttention } from "./sort.js";
import "../../ui/table.css";
import "../queues/queues.css";
import "./streams.css";

const GROUPS_SHOWN = 3;

/** Streams as rows; each with its groups, the one furthest behind first. */
export function StreamTable({ streams }: { streams: readonly RatedStream[] }): ReactNode {
  return (
    <div className="table-wrap">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Stream</th>
            <th scope="col" className="num">
              Messages
            </th>
            <th scope="col" className="num">
              Offsets
            </th>
            <th scope="col" className="num">
              Bodies
            </th>
            <th scope="col" className="num">
              Oldest
            </th>
            <th scope="col" className="num">
              Published
            </th>
            <th scope="col">Groups, by lag</th>
          </tr>
        </thead>
        <tbody>
          {streams.map((stream) => (
            <tr key={stream.name}>
              <td className="named">
                <Link className="row-link" href={streamPath(stream.name)} data-row>
                  <Name of={stream.name} />
                </Link>
              </td>
              <td className={stream.messages === 0 ? "num zero" : "num"}>{count(stream.messages)}</td>
              <td className="num">
                {stream.messages === 0 ? (
                  <span className="muted">next {count(stream.next)}</span>
                ) : (
                  <>
                    {count(stream.earliest)}…{count(stream.next)}
                  </>
                )}
              </td>
              <td className="num">{bytes(stream.bytes)}</td>
              <td className="num">
                {stream.oldestMs === null ? <span className="muted">none</span> : duration(stream.oldestMs)}
              </td>
              <td className="num">{rate(stream.ratePublished)}</td>
              <td>
                <GroupLags groups={stream.groups} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function GroupLags({ groups }: { groups: readonly GroupStats[] }): ReactNode {
  if (groups.length === 0) return <span className="muted">none</span>;
  const sorted = byLag(groups);
  return (
    <ul className="group-lags">
      {sorted.slice(0, GROUPS_SHOWN).map((group) => {
        const note = groupAttention(group);
        return (
          <li key={group.name}>
            <code>{groupName(group.name)}</code>{" "}
            <span className={group.lag === 0 ? "muted" : ""}>
              {group.lag === 0 ? "at the end" : `${count(group.lag)} behind`}
            </span>
            {note !== null && <Tag tone="retrying">{note}</Tag>}
          </li>
        );
      })}
      {sorted.length > GROUPS_SHOWN && <li className="muted">and {sorted.length - GROUPS_SHOWN} more</li>}
    </ul>
  );
}
