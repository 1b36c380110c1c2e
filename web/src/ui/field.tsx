import { type InputHTMLAttributes, type ReactNode, useId } from "react";
import "./field.css";

interface Props extends InputHTMLAttributes<HTMLInputElement> {
  readonly label: string;
  readonly hint?: string;
  readonly error?: string | undefined;
  /** Why nothing can be filled in: the field stays and says so. */
  readonly off?: string | null;
}

/** A labelled input; its error is tied to it and read out. */
export function Field({ label, hint, error, off = null, ...rest }: Props): ReactNode {
  const id = useId();
  const note = off ?? error ?? hint;
  const isError = off === null && error !== undefined;
  const shut = off === null ? {} : { disabled: true, value: "", placeholder: "not on this engine", title: off };
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        {...rest}
        {...shut}
        aria-invalid={isError || undefined}
        aria-describedby={note === undefined ? undefined : `${id}-note`}
      />
      {note !== undefined && (
        <p id={`${id}-note`} className={off !== null ? "visually-hidden" : isError ? "field-error" : "field-hint"}>
          {note}
        </p>
      )}
    </div>
  );
}
