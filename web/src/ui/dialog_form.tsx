import type { FormEvent, ReactNode } from "react";
import type { Act } from "../live/rights.js";
import { Button } from "./button.js";
import { Failure } from "./confirm.js";

interface Props {
  readonly act: Pick<Act, "busy" | "refused" | "failure">;
  /** Something in it cannot be sent as it is. */
  readonly wrong: boolean;
  readonly submit: () => void;
  readonly close: () => void;
  /** Names what the form does. */
  readonly label: string;
  readonly children: ReactNode;
}

/** A form in a dialog: its fields, why the last try failed, and the way out and on. */
export function DialogForm({ act, wrong, submit, close, label, children }: Props): ReactNode {
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault();
    if (!wrong && !act.busy && act.refused === null) submit();
  };
  return (
    <form className="dialog-content" onSubmit={onSubmit}>
      {children}
      <Failure text={act.failure} />
      <div className="dialog-actions">
        <Button onClick={close}>Cancel</Button>
        <Button kind="primary" type="submit" busy={act.busy} disabled={wrong} refused={act.refused}>
          {label}
        </Button>
      </div>
    </form>
  );
}
