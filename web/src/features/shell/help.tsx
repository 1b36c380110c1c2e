import type { ReactNode } from "react";
import { Dialog } from "../../ui/dialog.js";
import { KEYS } from "./keys.js";

export function Help({ open, close }: { open: boolean; close: () => void }): ReactNode {
  return (
    <Dialog title="Keys" open={open} close={close}>
      <dl className="keys">
        {KEYS.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
