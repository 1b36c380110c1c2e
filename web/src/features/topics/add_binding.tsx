import type { BindingTarget } from "postroad";
import { type FormEvent, type ReactNode, useState } from "react";
import { parseHeaders } from "../../format/parse.js";
import { patternError } from "../../format/pattern.js";
import { useClient } from "../../live/client.js";
import { useAllQueues } from "../../live/queues.js";
import { useAct } from "../../live/rights.js";
import { useAllStreams } from "../../live/streams.js";
import { Button } from "../../ui/button.js";
import { Failure } from "../../ui/confirm.js";
import { Dialog } from "../../ui/dialog.js";
import { Field } from "../../ui/field.js";
import { SelectField } from "../../ui/select.js";
import { Suggest } from "../../ui/suggest.js";
import { TextArea } from "../../ui/text_area.js";

const VALUES_MAX = 16;

interface Props {
  readonly open: boolean;
  readonly close: () => void;
  readonly done: () => void;
}

/** Adds a binding: a pattern, a target that exists, and perhaps a filter by headers. */
export function AddBinding({ open, ...rest }: Props): ReactNode {
  return (
    <Dialog title="Add a binding" open={open} close={rest.close}>
      <Form {...rest} />
    </Dialog>
  );
}

function Form({ close, done }: Omit<Props, "open">): ReactNode {
  const mq = useClient();
  const { queues } = useAllQueues();
  const { streams } = useAllStreams();
  const [pattern, setPattern] = useState("");
  const [kind, setKind] = useState<"queue" | "stream">("queue");
  const [target, setTarget] = useState("");
  const [filter, setFilter] = useState("");
  const [match, setMatch] = useState<"all" | "any">("all");
  // Both sides need the right: a refusal says nothing of other bindings.
  const act = useAct("manage", `${pattern} ${target.trim()}`);
  const patternWrong = pattern === "" ? null : patternError(pattern);
  const values = parseHeaders(filter);
  const many = typeof values === "string" ? 0 : Object.keys(values).length;
  const filterWrong = typeof values === "string" ? values : many > VALUES_MAX ? `At most ${VALUES_MAX} headers.` : null;
  const wrong = pattern === "" || patternWrong !== null || target.trim() === "" || filterWrong !== null;
  const names = kind === "queue" ? queues.map((queue) => queue.name) : streams.map((stream) => stream.name);

  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (wrong || act.busy || typeof values === "string") return;
    const headers = many === 0 ? {} : { headers: { match, values } };
    const to: BindingTarget = {
      ...(kind === "queue" ? { queue: target.trim() } : { stream: target.trim() }),
      ...headers,
    };
    void act
      .run(() => mq.bind(pattern, to), {
        done: ({ changed }) =>
          changed ? `${pattern} now copies to ${target}.` : `${pattern} copied to ${target} already.`,
      })
      .then((ok) => {
        if (!ok) return;
        done();
        close();
      });
  };
  return (
    <form className="dialog-content" onSubmit={submit}>
      <Field
        label="Pattern"
        className="mono"
        spellCheck={false}
        autoComplete="off"
        placeholder="orders.*"
        hint="* is exactly one word, # any number of words."
        error={patternWrong ?? undefined}
        value={pattern}
        onChange={(event) => setPattern(event.target.value)}
      />
      <div className="field-row">
        <SelectField
          label="Copies to a"
          options={[
            ["queue", "queue"],
            ["stream", "stream"],
          ]}
          value={kind}
          onChange={(event) => {
            setKind(event.target.value === "stream" ? "stream" : "queue");
            setTarget("");
          }}
        />
        <Suggest label="Target" value={target} set={setTarget} names={names} placeholder="one that exists" />
      </div>
      <TextArea
        label="Only with headers, one name: value a line"
        short
        placeholder="region: eu"
        value={filter}
        error={filterWrong}
        onChange={(event) => setFilter(event.target.value)}
      />
      {many > 1 && (
        <SelectField
          label="Of these headers"
          options={[
            ["all", "all must be there"],
            ["any", "one is enough"],
          ]}
          value={match}
          onChange={(event) => setMatch(event.target.value === "any" ? "any" : "all")}
        />
      )}
      <Failure text={act.failure} />
      <div className="dialog-actions">
        <Button onClick={close}>Cancel</Button>
        <Button kind="primary" type="submit" busy={act.busy} disabled={wrong} refused={act.refused}>
          Add binding
        </Button>
      </div>
    </form>
  );
}
