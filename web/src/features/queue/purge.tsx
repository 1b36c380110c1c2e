import { type ReactNode, useState } from "react";
import { counted } from "../../format/number.js";
import { useClient } from "../../live/client.js";
import { Button } from "../../ui/button.js";
import { Dialog } from "../../ui/dialog.js";
import { useToasts } from "../../ui/toast.js";

interface Props {
  readonly queue: string;
  readonly total: number;
  readonly open: boolean;
  readonly close: () => void;
}

/** Asks once more before a queue is emptied, naming it and how much goes. */
export function Purge({ queue, total, open, close }: Props): ReactNode {
  const mq = useClient();
  const { say, fail } = useToasts();
  const [busy, setBusy] = useState(false);
  const purge = (): void => {
    setBusy(true);
    mq.queue(queue)
      .purge()
      .then(
        ({ count }) => {
          say(`${counted(count, "message")} purged from ${queue}.`);
          close();
        },
        (error: unknown) => fail("Nothing was purged.", error),
      )
      .finally(() => setBusy(false));
  };
  return (
    <Dialog title={`Purge ${queue}?`} open={open} close={close}>
      <div className="dialog-content">
        <p>
          {counted(total, "message")} that wait in <code>{queue}</code> will be gone for good. What a consumer holds now
          is not touched.
        </p>
        <div className="dialog-actions">
          <Button onClick={close}>Keep them</Button>
          <Button kind="danger" busy={busy} onClick={purge}>
            Purge {counted(total, "message")}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
