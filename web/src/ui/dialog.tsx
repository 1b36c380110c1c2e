import { X } from "lucide-react";
import { type ReactNode, useEffect, useRef } from "react";
import "./dialog.css";

interface Props {
  readonly title: string;
  readonly open: boolean;
  readonly close: () => void;
  readonly children: ReactNode;
  readonly plain?: boolean;
}

/** A modal over the browser's own `<dialog>`: focus stays inside, Escape closes, focus returns. */
export function Dialog({ title, open, close, children, plain = false }: Props): ReactNode {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current;
    if (dialog === null) return;
    if (open && !dialog.open) {
      dialog.showModal();
      // The first field, not the first thing that can be focused: that may be a list around it.
      dialog.querySelector<HTMLElement>("input, textarea, select")?.focus();
    }
    if (!open && dialog.open) dialog.close();
  }, [open]);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape is the dialog's own; the click is only the backdrop's
    <dialog
      ref={ref}
      className={plain ? "dialog dialog-plain" : "dialog"}
      aria-label={title}
      onClose={close}
      onClick={(event) => {
        if (event.target === ref.current) close();
      }}
    >
      {open && (
        <div className="dialog-body">
          {!plain && (
            <header className="dialog-head">
              <h2>{title}</h2>
              <button type="button" className="icon-button" aria-label="Close" onClick={close}>
                <X size={18} aria-hidden="true" />
              </button>
            </header>
          )}
          {children}
        </div>
      )}
    </dialog>
  );
}
