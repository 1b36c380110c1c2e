import type { ButtonHTMLAttributes, ReactNode } from "react";
import "./button.css";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly kind?: "primary" | "plain" | "quiet" | "danger";
  /** The action is under way: the button says so and does nothing more. */
  readonly busy?: boolean;
}

export function Button({ kind = "plain", busy = false, className, ...rest }: Props): ReactNode {
  const classes = ["button", kind, className].filter(Boolean).join(" ");
  return (
    <button
      type="button"
      {...rest}
      className={classes}
      disabled={rest.disabled === true || busy}
      aria-busy={busy || undefined}
    />
  );
}
