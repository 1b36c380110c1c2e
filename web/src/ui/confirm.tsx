import type { ReactNode } from "react";
import { Button } from "./button.js";
import { Dialog } from "./dialog.js";

interface Props {
  readonly title: string;
  readonly open: boolean;
  readonly close: () => void;
  /** What will happen, to what, and how much of it. */
  readonly children: ReactNode;
  readonly keep?: string;
  /** Names the action and its object. */
  readonly label: string;
  readonly act: () => void;
  readonly busy?: boolean;
  readonly failure?: string | null;
}

/** Asks once more before something is taken away. */
export function Confirm({
  title,
  open,
  close,
  children,
  keep = "Cancel",
  label,
  act,
  busy,
  failure,
}: Props): ReactNode {
  return (
    <Dialog title={title} open={open} close={close}>
      <div className="dialog-content">
        <p>{children}</p>
        <Failure text={failure ?? null} />
        <div className="dialog-actions">
          <Button onClick={close}>{keep}</Button>
          <Button kind="danger" busy={busy ?? false} onClick={act}>
            {label}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}

/** Why the last try of a form failed, read out. */
export function Failure({ text }: { text: string | null }): ReactNode {
  return text === null ? null : (
    <p className="field-error" role="alert">
      {text}
    </p>
  );
}
