import { type ReactNode, type TextareaHTMLAttributes, useId } from "react";
import "./field.css";

interface Props extends TextareaHTMLAttributes<HTMLTextAreaElement> {
  readonly label: string;
  readonly error?: string | null;
  readonly short?: boolean;
}

/** Several lines in the machine's words, with what is wrong with them beneath. */
export function TextArea({ label, error = null, short = false, ...rest }: Props): ReactNode {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <textarea
        id={id}
        spellCheck={false}
        {...rest}
        className={short ? "short" : undefined}
        aria-invalid={error !== null || undefined}
        aria-describedby={`${id}-note`}
      />
      <p id={`${id}-note`} className="field-error">
        {error ?? ""}
      </p>
    </div>
  );
}
