import type { Placement } from "postroad";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { usePlacePath } from "../../live/links.js";
import { State } from "../../ui/state.js";
import "../../ui/table.css";

/** The queues and groups that a message went to, and how it fares in each. */
export function Placements({ placements }: { placements: readonly Placement[] }): ReactNode {
  const placePath = usePlacePath();
  return (
    <div className="table-wrap">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Queue or group</th>
            <th scope="col">State</th>
            <th scope="col" className="num">
              Attempts
            </th>
            <th scope="col">Reason</th>
          </tr>
        </thead>
        <tbody>
          {placements.map((one) => (
            <tr key={one.queue}>
              <td>
                <Link className="row-link" href={placePath(one.queue)}>
                  {one.queue}
                </Link>
              </td>
              <td>
                <State state={one.state} />
              </td>
              <td className="num">
                {one.attempts} of {one.attemptsMax}
              </td>
              <td className="clip" title={one.reason ?? undefined}>
                {one.reason}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
