import { type ReactNode, useId } from "react";
import { Field } from "./field.js";

interface Props {
  readonly label: string;
  readonly value: string;
  readonly set: (value: string) => void;
  readonly names: readonly string[];
  readonly hint?: string;
  readonly error?: string | undefined;
  readonly placeholder?: string;
}

/** A text field that offers names; others can be typed. */
export function Suggest({ names, set, ...rest }: Props): ReactNode {
  const id = useId();
  return (
    <>
      <Field
        {...rest}
        list={id}
        autoComplete="off"
        spellCheck={false}
        className="mono"
        onChange={(event) => set(event.target.value)}
      />
      <datalist id={id}>
        {names.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </>
  );
}
