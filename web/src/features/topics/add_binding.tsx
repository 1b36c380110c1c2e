import type { BindingTarget } from "postroad";
import { type ReactNode, useState } from "react";
import { parseHeaders } from "../../format/parse.js";
import { patternError } from "../../format/pattern.js";
import { useClient } from "../../live/client.js";
import { useAct } from "../../live/rights.js";
import { Dialog } from "../../ui/dialog.js";
import { DialogForm } from "../../ui/dialog_form.js";
import { Field } from "../../ui/field.js";
import { SelectField } from "../../ui/select.js";
import { TextArea } from "../../ui/text_area.js";
import { type Target, TargetFields, targetFields } from "../target/target.js";

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
  const [pattern, setPattern] = useState("");
  const [target, setTarget] = useState<Target<"queue" | "stream">>({ kind: "queue", name: "" });
  const [filter, setFilter] = useState("");
  const [match, setMatch] = useState<"all" | "any">("all");
  // Both sides need the right: a refusal says nothing of other bindings.
  const act = useAct("manage", `${pattern} ${target.name}`);
  const patternWrong = pattern === "" ? null : patternError(pattern);
  const values = parseHeaders(filter);
  const many = typeof values === "string" ? 0 : Object.keys(values).length;
  const filterWrong = typeof values === "string" ? values : many > VALUES_MAX ? `At most ${VALUES_MAX} headers.` : null;
  const wrong = pattern === "" || patternWrong !== null || target.name === "" || filterWrong !== null;

  const submit = (): void => {
    if (typeof values === "string") return;
    const headers = many === 0 ? {} : { headers: { match, values } };
    const to: BindingTarget = { ...targetFields(target), ...headers };
    void act
      .run(() => mq.bind(pattern, to), {
        done: ({ changed }) =>
          changed ? `${pattern} now copies to ${target.name}.` : `${pattern} copied to ${target.name} already.`,
      })
      .then((ok) => {
        if (!ok) return;
        done();
        close();
      });
  };
  return (
    <DialogForm act={act} wrong={wrong} submit={submit} close={close} label="Add binding">
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
      <TargetFields
        label="Copies to a"
        kinds={["queue", "stream"]}
        placeholder="one that exists"
        target={target}
        set={setTarget}
      />
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
    </DialogForm>
  );
}
