import { Fragment, type ReactNode } from "react";
import { Link } from "wouter";
import { queuePath, streamPath } from "../../format/address.js";
import { useAct } from "../../live/rights.js";
import type { Binding } from "../../live/types.js";
import { Button } from "../../ui/button.js";
import { Tag } from "../../ui/state.js";
import { bindingKey, byPattern, targetOf } from "./route.js";

interface Props {
  readonly bindings: readonly Binding[];
  /** Bindings that the tested message would follow. */
  readonly followed: ReadonlySet<string>;
  readonly remove: (binding: Binding) => void;
}

/** All bindings, those of one pattern together. */
export function Bindings({ bindings, followed, remove }: Props): ReactNode {
  return (
    <div className="table-wrap">
      <table className="table bindings">
        <thead>
          <tr>
            <th scope="col">Copies to</th>
            <th scope="col">Only with headers</th>
            <th scope="col">
              <span className="visually-hidden">Test</span>
            </th>
            <th scope="col">
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        {byPattern(bindings).map(([pattern, all]) => (
          <tbody key={pattern}>
            <tr className="pattern">
              <th scope="rowgroup" colSpan={4}>
                <code>{pattern}</code>
              </th>
            </tr>
            {all.map((binding) => (
              <Row
                key={bindingKey(binding)}
                binding={binding}
                hit={followed.has(bindingKey(binding))}
                remove={() => remove(binding)}
              />
            ))}
          </tbody>
        ))}
      </table>
    </div>
  );
}

function Row({ binding, hit, remove }: { binding: Binding; hit: boolean; remove: () => void }): ReactNode {
  const { kind, name } = targetOf(binding);
  const act = useAct("manage", `${binding.topic} ${name}`);
  return (
    <tr className={hit ? "hit" : undefined}>
      <td>
        <span className="queue-name">
          <Link className="row-link" href={kind === "queue" ? queuePath(name) : streamPath(name)} data-row>
            {name}
          </Link>
          <span className="muted">{kind}</span>
        </span>
      </td>
      <td>
        <Filter headers={binding.headers} />
      </td>
      <td>{hit && <Tag tone="done">gets it</Tag>}</td>
      <td className="right">
        <Button
          className="small"
          kind="quiet"
          aria-label={`Remove the binding of ${binding.topic} to ${name}`}
          refused={act.refused}
          onClick={remove}
        >
          Remove
        </Button>
      </td>
    </tr>
  );
}

/** A header filter in words. */
export function Filter({ headers }: { headers: Binding["headers"] }): ReactNode {
  if (headers === null || headers === undefined) return <span className="muted">any</span>;
  const pairs = Object.entries(headers.values);
  return (
    <span className="filter-words">
      {pairs.map(([name, value], index) => (
        <Fragment key={name}>
          {index > 0 && <span className="muted"> {headers.match === "any" ? "or" : "and"} </span>}
          <code>
            {name}: {value}
          </code>
        </Fragment>
      ))}
    </span>
  );
}
