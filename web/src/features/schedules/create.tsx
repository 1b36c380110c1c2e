import type { ScheduleSpec } from "postroad";
import { type ReactNode, useState } from "react";
import { jsonError } from "../../format/body.js";
import { parseDuration } from "../../format/parse.js";
import { relative } from "../../format/time.js";
import { useClient } from "../../live/client.js";
import { useAct } from "../../live/rights.js";
import { Dialog } from "../../ui/dialog.js";
import { DialogForm } from "../../ui/dialog_form.js";
import { Field } from "../../ui/field.js";
import { SelectField } from "../../ui/select.js";
import { Suggest } from "../../ui/suggest.js";
import { TextArea } from "../../ui/text_area.js";
import { type Target, TargetFields, targetFields } from "../target/target.js";
import { cronError, everyError, zones } from "./when.js";

interface Props {
  readonly open: boolean;
  readonly close: () => void;
  readonly done: () => void;
  /** Names that exist: making one of them again replaces it. */
  readonly taken: readonly string[];
}

/** Makes a schedule: when, where to, and what. */
export function CreateSchedule({ open, ...rest }: Props): ReactNode {
  return (
    <Dialog title="New schedule" open={open} close={rest.close}>
      <Form {...rest} />
    </Dialog>
  );
}

const ZONES = zones();

function Form({ close, done, taken }: Omit<Props, "open">): ReactNode {
  const mq = useClient();
  const [name, setName] = useState("");
  const [rule, setRule] = useState<"cron" | "every">("cron");
  const [cron, setCron] = useState("0 3 * * *");
  const [zone, setZone] = useState(() => Intl.DateTimeFormat().resolvedOptions().timeZone);
  const [every, setEvery] = useState("5 min");
  const [target, setTarget] = useState<Target>({ kind: "queue", name: "" });
  const [body, setBody] = useState('{\n  "hello": "world"\n}');
  const [paused, setPaused] = useState(false);
  const act = useAct("manage", name.trim());
  const everyMs = parseDuration(every);
  const ruleWrong = rule === "cron" ? cronError(cron) : everyError(everyMs);
  const bodyWrong = jsonError(body);
  const wrong = name.trim() === "" || target.name === "" || ruleWrong !== null || bodyWrong !== null;
  const replaces = taken.includes(name.trim());

  const submit = (): void => {
    const when = rule === "cron" ? { cron: cron.trim(), zone } : { everyMs: everyMs ?? 0 };
    const message = { body: JSON.parse(body) as unknown };
    const spec: ScheduleSpec = { ...when, ...targetFields(target), message, paused };
    void act
      .run(() => mq.schedule(name.trim(), spec), {
        done: ({ nextAt }) =>
          paused || nextAt === null
            ? `${name} is made, and paused.`
            : `${name} fires for the first time ${relative(nextAt, Date.now())}.`,
      })
      .then((ok) => {
        if (!ok) return;
        done();
        close();
      });
  };
  return (
    <DialogForm
      act={act}
      wrong={wrong}
      submit={submit}
      close={close}
      label={replaces ? `Replace ${name.trim()}` : "Create schedule"}
    >
      <Field
        label="Name"
        className="mono"
        spellCheck={false}
        autoComplete="off"
        placeholder="nightly-report"
        value={name}
        {...(replaces ? { hint: "There is one of this name: it will be replaced." } : {})}
        onChange={(event) => setName(event.target.value)}
      />
      <div className="field-row">
        <SelectField
          label="Fires"
          options={[
            ["cron", "at times, by cron"],
            ["every", "every so often"],
          ]}
          value={rule}
          onChange={(event) => setRule(event.target.value === "every" ? "every" : "cron")}
        />
        {rule === "every" && (
          <Field
            label="Every"
            value={every}
            error={ruleWrong ?? undefined}
            onChange={(event) => setEvery(event.target.value)}
          />
        )}
        {rule === "cron" && (
          <Field
            label="Cron"
            className="mono"
            spellCheck={false}
            value={cron}
            hint="minute hour day month weekday"
            error={ruleWrong ?? undefined}
            onChange={(event) => setCron(event.target.value)}
          />
        )}
      </div>
      {rule === "cron" && <Suggest label="Zone" value={zone} set={setZone} names={ZONES} />}
      <TargetFields
        label="Publishes to a"
        kinds={["queue", "stream", "topic"]}
        placeholder="its name"
        target={target}
        set={setTarget}
      />
      <TextArea label="Body, JSON" value={body} error={bodyWrong} onChange={(event) => setBody(event.target.value)} />
      <label className="check">
        <input type="checkbox" checked={paused} onChange={(event) => setPaused(event.target.checked)} /> Paused at first
      </label>
    </DialogForm>
  );
}
