import { type ReactNode, useId, useState } from "react";
import { counted } from "../../format/number.js";
import { useEngine } from "../../live/engine.js";
import { useAct } from "../../live/rights.js";
import { Dialog } from "../../ui/dialog.js";
import { DialogForm } from "../../ui/dialog_form.js";
import { Field } from "../../ui/field.js";
import { SelectField } from "../../ui/select.js";
import { changes, parsedOf, type SettingField, textOf, type Values } from "./fields.js";
import "./settings.css";

interface Props {
  readonly name: string;
  readonly fields: readonly SettingField[];
  readonly values: Values;
  /** Declares the changed settings with `update`. */
  readonly save: (changed: Values) => Promise<unknown>;
  readonly saved?: () => void;
  readonly open: boolean;
  readonly close: () => void;
}

/** Edits settings of a queue or stream; what is not touched stays as it is. */
export function SettingsDialog({ open, ...rest }: Props): ReactNode {
  return (
    <Dialog title={`Settings of ${rest.name}`} open={open} close={rest.close}>
      <Form {...rest} />
    </Dialog>
  );
}

function Form({ name, fields, values, save, saved, close }: Omit<Props, "open">): ReactNode {
  const act = useAct("manage", name);
  const reasons = new Map(useEngine()?.capabilities.map((one) => [one.name, one.reason]));
  // What was in force when the dialog was opened: another's change meanwhile must not look like one of this form.
  const [was] = useState(values);
  const [texts, setTexts] = useState<Readonly<Record<string, string>>>(() =>
    Object.fromEntries(fields.map((field) => [field.name, textOf(field, values[field.name])])),
  );
  const shown = fields.filter(({ needs }) => needs === undefined || texts[needs] === "true");
  const wrong = shown.some((field) => "error" in parsedOf(field, texts[field.name] ?? ""));
  const changed = changes(shown, was, texts);
  const many = Object.keys(changed).length;
  const submit = (): void => {
    void act
      .run(() => save(changed), { done: () => `${counted(many, "setting")} of ${name} changed.` })
      .then((done) => {
        if (!done) return;
        saved?.();
        close();
      });
  };
  return (
    <DialogForm
      act={act}
      wrong={wrong || many === 0}
      submit={submit}
      close={close}
      label={many === 0 ? "Nothing changed" : `Change ${counted(many, "setting")}`}
    >
      <div className="settings-fields">
        {shown.map((field) => (
          <Setting
            key={field.name}
            field={field}
            off={reasons.get(wireName(field.name)) ?? null}
            text={texts[field.name] ?? ""}
            set={(text) => setTexts({ ...texts, [field.name]: text })}
          />
        ))}
      </div>
    </DialogForm>
  );
}

/** A setting by the name that it has on the wire, which is that of its capability. */
const wireName = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

interface SettingProps {
  readonly field: SettingField;
  /** Why this engine cannot keep it. */
  readonly off: string | null;
  readonly text: string;
  readonly set: (text: string) => void;
}

function Setting({ field, off, text, set }: SettingProps): ReactNode {
  const id = useId();
  if (field.kind === "flag")
    return (
      <label className="check wide" htmlFor={id} title={off ?? undefined}>
        <input
          id={id}
          disabled={off !== null}
          type="checkbox"
          checked={text === "true"}
          onChange={(event) => set(String(event.target.checked))}
        />
        {field.label}
        {off !== null && <span className="visually-hidden">: {off}</span>}
      </label>
    );
  if (field.kind === "choice")
    return (
      <SelectField
        label={field.label}
        options={field.choices ?? []}
        off={Object.fromEntries((field.choices ?? []).slice(1).map(([value]) => [value, off]))}
        value={text}
        onChange={(event) => set(event.target.value)}
      />
    );
  const parsed = parsedOf(field, text);
  return (
    <Field
      label={field.label}
      off={off}
      value={text}
      placeholder={field.none ?? ""}
      error={"error" in parsed ? parsed.error : undefined}
      onChange={(event) => set(event.target.value)}
    />
  );
}
