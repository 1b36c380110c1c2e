import { type ReactNode, useState } from "react";
import { Link } from "wouter";
import { messagePath } from "../../format/address.js";
import { preview } from "../../format/body.js";
import { bytes } from "../../format/bytes.js";
import { useClient } from "../../live/client.js";
import { State } from "../../ui/state.js";
import { Ago, Due } from "../../ui/time.js";
import { Empty } from "../../ui/views.js";
import { Browsed, useBrowsing } from "./browsed.js";

const STATES = ["ready", "parked", "delayed", "leased"] as const;
type Browsable = (typeof STATES)[number];

const LABELS: Record<Browsable, string> = {
  ready: "ready",
  parked: "parked",
  delayed: "delayed, retrying",
  leased: "leased",
};

const NOTHING: Record<Browsable, string> = {
  ready: "Nothing is ready: what can be delivered is taken at once",
  parked: "Nothing waits for an earlier message of its ordering key",
  delayed: "Nothing is delayed or waits for its next attempt",
  leased: "Nobody holds a message right now",
};

interface Props {
  readonly queue: string;
  readonly change: string;
  /** How many wait for their ordering key; null where the engine cannot tell, and so cannot list them either. */
  readonly parked: number | null;
}

/** Messages of a queue by state, newest state first in mind: browsing never consumes. */
export function Messages({ queue, change, parked }: Props): ReactNode {
  const mq = useClient();
  const [state, setState] = useState<Browsable>("ready");
  const browsing = useBrowsing(`${queue} ${state}`, change, false, (fields, page) =>
    mq.queue(queue).peek({ ...fields, ...page, state }),
  );
  return (
    <Browsed
      title="Messages"
      what="messages"
      browsing={browsing}
      empty={<Empty title={NOTHING[state]} />}
      blind="A message whose id you know has its page all the same."
      tools={
        browsing.cannot === null && (
          <fieldset className="tabs">
            <legend className="visually-hidden">State</legend>
            {STATES.filter((one) => one !== "parked" || parked !== null).map((one) => (
              <button key={one} type="button" aria-pressed={one === state} onClick={() => setState(one)}>
                {LABELS[one]}
              </button>
            ))}
          </fieldset>
        )
      }
      head={
        <>
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
        </>
      }
    >
      {browsing.list.messages?.map((message) => (
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
          <td className="clip fill mono muted">{preview(message.body ?? "")}</td>
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
    </Browsed>
  );
}
