import { type ReactNode, useState } from "react";
import { Link } from "wouter";
import { messagePath } from "../../format/address.js";
import { preview } from "../../format/body.js";
import { bytes } from "../../format/bytes.js";
import { useClient } from "../../live/client.js";
import { Button } from "../../ui/button.js";
import { State } from "../../ui/state.js";
import { Ago, Due } from "../../ui/time.js";
import { Empty, ErrorView, Panel, Skeleton } from "../../ui/views.js";
import { type Search, searchFields } from "./search.js";
import { SearchBox } from "./search_box.js";
import { SearchedSoFar } from "./searched.js";
import { useBrowse } from "./use_browse.js";

const STATES = ["ready", "delayed", "leased"] as const;
type Browsable = (typeof STATES)[number];
const LIMIT = 50;

const NOTHING: Record<Browsable, string> = {
  ready: "Nothing waits: what is published is taken at once",
  delayed: "Nothing is delayed or waits for its next attempt",
  leased: "Nobody holds a message right now",
};

/** Messages of a queue by state, newest state first in mind: browsing never consumes. */
export function Messages({ queue, change }: { queue: string; change: string }): ReactNode {
  const mq = useClient();
  const [state, setState] = useState<Browsable>("ready");
  const [pointed, setPointed] = useState(false);
  const [search, setSearch] = useState<Search | null>(null);
  const fields = search === null ? null : searchFields(search);
  // What was found stays until it is asked for anew: a search reads many bodies.
  const list = useBrowse(`${queue} ${state} ${JSON.stringify(fields)}`, change, pointed || fields !== null, (after) =>
    mq.queue(queue).peek({ ...fields, state, limit: LIMIT, ...(after === null ? {} : { after }) }),
  );
  return (
    <Panel
      title="Messages"
      flush
      className="live"
      aside={
        <div className="filters">
          {list.changed && (
            <button type="button" className="pill" onClick={list.refresh}>
              Changed: show
            </button>
          )}
          <SearchBox search={search} set={setSearch} />
          <fieldset className="tabs">
            <legend className="visually-hidden">State</legend>
            {STATES.map((one) => (
              <button key={one} type="button" aria-pressed={one === state} onClick={() => setState(one)}>
                {one}
              </button>
            ))}
          </fieldset>
        </div>
      }
    >
      {fields !== null && <SearchedSoFar list={list} />}
      {list.error !== null && list.messages === null ? (
        <ErrorView title="The messages could not be read" error={list.error} retry={list.refresh} />
      ) : list.messages === null ? (
        <Skeleton rows={5} label="Loading messages" />
      ) : list.messages.length === 0 ? (
        fields === null && <Empty title={NOTHING[state]} />
      ) : (
        <div
          className="table-wrap rows"
          onPointerEnter={() => setPointed(true)}
          onPointerLeave={() => setPointed(false)}
        >
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Id</th>
                <th scope="col">State</th>
                <th scope="col" className="num">
                  Attempts
                </th>
                <th scope="col">Body</th>
                <th scope="col" className="num">
                  Size
                </th>
                <th scope="col">Published</th>
                <th scope="col">{state === "leased" ? "Held by" : state === "delayed" ? "Due" : "Key"}</th>
              </tr>
            </thead>
            <tbody>
              {list.messages.map((message) => (
                <tr key={`${message.id} ${message.sequence}`}>
                  <td>
                    <Link className="row-link" href={messagePath(message.id)} data-row>
                      {message.id}
                    </Link>
                  </td>
                  <td>
                    <State state={message.state} />
                  </td>
                  <td className="num">
                    {message.attempts} of {message.attemptsMax}
                  </td>
                  <td className="clip mono muted">{preview(message.body ?? "")}</td>
                  <td className="num">{bytes(message.size)}</td>
                  <td className="muted nowrap">
                    <Ago at={message.publishedAt} />
                  </td>
                  <td className="nowrap">
                    {state === "leased"
                      ? message.consumer
                      : state === "delayed"
                        ? message.due !== null && message.due !== undefined && <Due at={message.due} />
                        : message.key}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {list.more && fields === null && (
            <p className="table-more">
              <Button className="small" onClick={list.loadMore}>
                Show {LIMIT} more
              </Button>
            </p>
          )}
        </div>
      )}
    </Panel>
  );
}
