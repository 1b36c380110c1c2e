import { Lock } from "lucide-react";
import { type ButtonHTMLAttributes, type ReactNode, useId } from "react";
import "./button.css";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly kind?: "primary" | "plain" | "quiet" | "danger";
  /** The action is under way: the button says so and does nothing more. */
  readonly busy?: boolean;
  /** Why this may not be done: the button stays, does nothing, and says it. */
  readonly refused?: string | null;
}

export function Button({ kind = "plain", busy = false, refused = null, className, ...rest }: Props): ReactNode {
  const note = useId();
  const classes = ["button", kind, refused === null ? "" : "refused", className].filter(Boolean).join(" ");
  if (refused === null)
    return (
      <button
        type="button"
        {...rest}
        className={classes}
        disabled={rest.disabled === true || busy}
        aria-busy={busy || undefined}
      />
    );
  // It can still be focused, so that the reason can be read where the action was looked for.
  return (
    <button
      {...rest}
      type="button"
      className={classes}
      disabled={false}
      aria-disabled="true"
      aria-describedby={note}
      title={refused}
      onClick={undefined}
    >
      <Lock size={13} aria-hidden="true" />
      {rest.children}
      <span id={note} className="visually-hidden" aria-hidden="true">
        {refused}
      </span>
    </button>
  );
}
