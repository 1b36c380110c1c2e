import type { ReactNode } from "react";
import { Link } from "wouter";
import { queuePath, streamPath } from "../../format/address.js";
import { counted } from "../../format/number.js";
import { Field } from "../../ui/field.js";
import { Shape } from "../../ui/state.js";
import { TextArea } from "../../ui/text_area.js";
import { Panel } from "../../ui/views.js";
import type { targets } from "./route.js";

interface Props {
  readonly topic: string;
  readonly setTopic: (topic: string) => void;
  readonly topicWrong: string | null;
  readonly headers: string;
  readonly setHeaders: (headers: string) => void;
  readonly headersWrong: string | null;
  readonly found: ReturnType<typeof targets>;
}

/** Says where a message would go, before anything is published. */
export function Tester({ topic, setTopic, topicWrong, headers, setHeaders, headersWrong, found }: Props): ReactNode {
  const asked = topic !== "" && topicWrong === null && headersWrong === null;
  return (
    <Panel title="Where would this go?" className="tester">
      <div className="tester-fields">
        <Field
          label="Topic"
          className="mono"
          spellCheck={false}
          autoComplete="off"
          placeholder="orders.new"
          data-search
          error={topic === "" ? undefined : (topicWrong ?? undefined)}
          value={topic}
          onChange={(event) => setTopic(event.target.value)}
        />
        <TextArea
          label="Headers, one name: value a line"
          short
          placeholder="region: eu"
          error={headersWrong}
          value={headers}
          onChange={(event) => setHeaders(event.target.value)}
        />
      </div>
      <div role="status" aria-label="Targets" className="tester-answer">
        {!asked ? (
          <p className="muted">Type a topic: the bindings that a message would follow are marked.</p>
        ) : found.length === 0 ? (
          <p>
            <Shape tone="dead" /> Nowhere: no binding matches. A publish is confirmed with 0 targets, or refused if it
            is mandatory.
          </p>
        ) : (
          <>
            <p>To {counted(found.length, "target")}, all of them or none:</p>
            <ul className="tester-targets">
              {found.map(({ kind, name, patterns }) => (
                <li key={name}>
                  <Shape tone="done" />
                  <Link className="row-link" href={kind === "queue" ? queuePath(name) : streamPath(name)}>
                    {name}
                  </Link>
                  <span className="muted">
                    {kind}, by <code>{patterns.join(", ")}</code>
                  </span>
                </li>
              ))}
            </ul>
          </>
        )}
      </div>
    </Panel>
  );
}
