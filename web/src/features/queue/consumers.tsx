import type { ReactNode } from "react";
import { duration } from "../../format/duration.js";
import { count } from "../../format/number.js";
import type { ConsumerInfo } from "../../live/types.js";
import { Ago } from "../../ui/time.js";

/** Who consumes a queue and what each of them holds. */
export function Consumers({ consumers }: { consumers: readonly ConsumerInfo[] }): ReactNode {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="table-wrap" aria-label="Consumers and what they hold" tabIndex={0}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Consumer</th>
            <th scope="col" className="num">
              Holds
            </th>
            <th scope="col" className="num">
              Prefetch
            </th>
            <th scope="col" className="num">
              Longest
            </th>
            <th scope="col">Since</th>
          </tr>
        </thead>
        <tbody>
          {consumers.map((one) => (
            <tr key={one.subscription}>
              <td className="mono nowrap" title={one.client}>
                {one.consumer}
              </td>
              <td className={one.leased === 0 ? "num zero" : "num"}>{count(one.leased)}</td>
              <td className="num muted">{count(one.prefetch)}</td>
              <td className="num">
                {one.oldestLeaseMs === null ? <span className="muted">idle</span> : duration(one.oldestLeaseMs)}
              </td>
              <td className="muted nowrap">
                <Ago at={one.connectedAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
