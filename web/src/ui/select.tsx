import { type ReactNode, type SelectHTMLAttributes, useId } from "react";
import "./field.css";

interface Props extends SelectHTMLAttributes<HTMLSelectElement> {
  readonly label: string;
  /** Value and what is shown for it. */
  readonly options: readonly (readonly [string, string])[];
  /** Why some cannot be chosen, by value. */
  readonly off?: Readonly<Record<string, string | null>>;
}

/** A labelled choice. */
export function SelectField({ label, options, off = {}, ...rest }: Props): ReactNode {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select id={id} {...rest}>
        {options.map(([value, shown]) => (
          <option key={value} value={value} disabled={Boolean(off[value])} title={off[value] ?? undefined}>
            {shown}
          </option>
        ))}
      </select>
    </div>
  );
}
