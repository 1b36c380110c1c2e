import { type ReactNode, useState } from "react";
import { Link } from "wouter";
import { messagePath } from "../../format/address.js";
import { jsonError } from "../../format/body.js";
import { counted } from "../../format/number.js";
import { headerLines, parseHeaders } from "../../format/parse.js";
import { topicError } from "../../format/pattern.js";
import { useClient } from "../../live/client.js";
import { useCannot } from "../../live/engine.js";
import { useAct } from "../../live/rights.js";
import type { MessageInfo } from "../../live/types.js";
import { Dialog } from "../../ui/dialog.js";
import { DialogForm } from "../../ui/dialog_form.js";
import { Field } from "../../ui/field.js";
import { TextArea } from "../../ui/text_area.js";
import { type Destination, send } from "./send.js";

const COUNT_MAX = 1_000;

interface Props {
  readonly to: Destination;
  readonly open: boolean;
  readonly close: () => void;
  /** The message to begin with, for an edited copy. */
  readonly like?: Pick<MessageInfo, "body" | "headers" | "key" | "priority">;
}

/** Something to begin with: in the demo's queue, what its workers understand. */
const example = (name: string): unknown =>
  name === "emails" ? { name: "Ada Lovelace", email: "ada@example.org", verify: null } : { hello: "world" };

/** Publishes one message, or the same several times, from the console. */
export function Publish({ to, open, close, like }: Props): ReactNode {
  return (
    <Dialog title={to.kind === "topic" ? "Publish to a topic" : `Publish to ${to.name}`} open={open} close={close}>
      <Form to={to} close={close} {...(like === undefined ? {} : { like })} />
    </Dialog>
  );
}

function Form({ to, close, like }: Omit<Props, "open">): ReactNode {
  const mq = useClient();
  const [topic, setTopic] = useState(to.name);
  const name = to.kind === "topic" ? topic : to.name;
  const act = useAct("publish", name);
  const [cannotDelay, cannotRank, cannotOrder] = [useCannot("delay"), useCannot("priority"), useCannot("ordering_key")];
  const [body, setBody] = useState(() => JSON.stringify(like?.body ?? example(to.name), null, 2));
  const [headers, setHeaders] = useState(headerLines(like?.headers));
  const [copies, setCopies] = useState("1");
  const [delay, setDelay] = useState("");
  const [priority, setPriority] = useState(like?.priority ? String(like.priority) : "");
  const [key, setKey] = useState(like?.key ?? "");
  const bodyWrong = jsonError(body);
  const parsed = parseHeaders(headers);
  const headersWrong = typeof parsed === "string" ? parsed : null;
  const topicWrong = to.kind === "topic" ? topicError(topic) : null;
  const many = Number(copies);
  const manyWrong = !Number.isInteger(many) || many < 1 || many > COUNT_MAX;
  const wrong = bodyWrong !== null || headersWrong !== null || topicWrong !== null || manyWrong;

  const submit = (): void => {
    if (typeof parsed === "string") return;
    const value: unknown = JSON.parse(body);
    const options = {
      ...(delay === "" || cannotDelay !== null ? {} : { delayMs: Math.round(Number(delay) * 1_000) }),
      ...(priority === "" || cannotRank !== null ? {} : { priority: Number(priority) }),
      ...(key === "" || cannotOrder !== null ? {} : { key }),
      ...(Object.keys(parsed).length === 0 ? {} : { headers: parsed }),
    };
    void act
      .run(() => Promise.all(Array.from({ length: many }, () => send(mq, { ...to, name }, value, options))), {
        done: (confirms) => (
          <>
            {counted(confirms.length, "message")} published
            {confirms[0]?.routed === undefined ? "" : ` to ${counted(confirms[0].routed, "target")}`}:{" "}
            <Link href={messagePath(confirms[0]?.id ?? "")}>{confirms[0]?.id}</Link>
          </>
        ),
      })
      .then((done) => done && close());
  };
  return (
    <DialogForm act={act} wrong={wrong} submit={submit} close={close} label="Publish">
      {to.kind === "topic" && (
        <Field
          label="Topic"
          className="mono"
          spellCheck={false}
          value={topic}
          error={topic === "" ? undefined : (topicWrong ?? undefined)}
          placeholder="orders.new"
          onChange={(event) => setTopic(event.target.value)}
        />
      )}
      <TextArea label="Body, JSON" value={body} error={bodyWrong} onChange={(event) => setBody(event.target.value)} />
      <TextArea
        label="Headers, one name: value a line"
        short
        value={headers}
        error={headersWrong}
        onChange={(event) => setHeaders(event.target.value)}
      />
      <div className="field-row">
        <Field
          label="How many"
          inputMode="numeric"
          value={copies}
          error={manyWrong ? `1 to ${COUNT_MAX}` : undefined}
          onChange={(event) => setCopies(event.target.value)}
        />
        {to.kind !== "stream" && (
          <>
            <Field
              label="Delay, s"
              inputMode="decimal"
              placeholder="none"
              off={cannotDelay}
              value={delay}
              onChange={(event) => setDelay(event.target.value)}
            />
            <Field
              label="Priority"
              inputMode="numeric"
              placeholder="0"
              off={cannotRank}
              value={priority}
              onChange={(event) => setPriority(event.target.value)}
            />
          </>
        )}
        <Field
          label="Ordering key"
          placeholder="none"
          off={cannotOrder}
          value={key}
          onChange={(event) => setKey(event.target.value)}
        />
      </div>
    </DialogForm>
  );
}
