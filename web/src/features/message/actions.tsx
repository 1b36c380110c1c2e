import { type ReactNode, useState } from "react";
import { counted } from "../../format/number.js";
import { useClient } from "../../live/client.js";
import { useCannot } from "../../live/engine.js";
import { useAllQueues } from "../../live/queues.js";
import { useAct } from "../../live/rights.js";
import type { MessageInfo } from "../../live/types.js";
import { Button } from "../../ui/button.js";
import { Dialog } from "../../ui/dialog.js";
import { Publish } from "../publish/publish.js";
import { EditLetter } from "./edit_letter.js";

/** The queue that a dead-letter queue of the default name belongs to; any other queue itself. */
export const originOf = (queue: string): string => queue.replace(/\.dead$/, "");

const OPEN_STATES: readonly MessageInfo["state"][] = ["queued", "delayed", "delivered", "retrying"];

/** What can be done with one message: send it back, publish an edited copy, cancel it. */
export function MessageActions({ message }: { message: MessageInfo }): ReactNode {
  const mq = useClient();
  const redriving = useAct("redrive", message.queue);
  const cancelling = useAct("manage", message.queue);
  const [cannotRedrive, cannotEdit, cannotCancel] = [useCannot("redrive"), useCannot("edit"), useCannot("cancel")];
  const [dialog, setDialog] = useState<"edit" | "letter" | "cancel" | null>(null);
  const close = (): void => setDialog(null);
  // An edited copy goes not to the dead letters, but to the queue they came from.
  const { queues } = useAllQueues();
  const origin = queues.find((queue) => queue.name === message.queue)?.deadLetterOf ?? originOf(message.queue);
  const redrive = (): void => {
    void redriving.run(() => mq.queue(message.queue).redrive({ messages: [message.id] }), {
      done: ({ count }) => `${counted(count, "message")} sent back to ${origin}.`,
      failed: "It was not redriven.",
    });
  };
  const cancel = (): void => {
    close();
    void cancelling.run(() => mq.cancel(message.id), {
      done: () => `${message.id} is cancelled.`,
      failed: "It was not cancelled.",
    });
  };
  const isDead = message.state === "dead";
  return (
    <>
      {isDead && (
        <Button kind="primary" busy={redriving.busy} refused={cannotRedrive ?? redriving.refused} onClick={redrive}>
          Redrive
        </Button>
      )}
      {isDead && message.body !== undefined && message.type !== "bytes" && (
        <Button refused={cannotEdit ?? redriving.refused} onClick={() => setDialog("letter")}>
          Edit and redrive
        </Button>
      )}
      {!isDead && message.body !== undefined && message.type === "json" && (
        <Button onClick={() => setDialog("edit")}>Edit and publish again</Button>
      )}
      {OPEN_STATES.includes(message.state) && (
        <Button kind="danger" refused={cannotCancel ?? cancelling.refused} onClick={() => setDialog("cancel")}>
          Cancel message
        </Button>
      )}
      <Publish to={{ kind: "queue", name: origin }} open={dialog === "edit"} close={close} like={message} />
      <EditLetter
        queue={message.queue}
        origin={origin}
        id={dialog === "letter" ? message.id : null}
        close={close}
        done={() => {}}
      />
      <Dialog title={`Cancel ${message.id}?`} open={dialog === "cancel"} close={close}>
        <div className="dialog-content">
          <p>
            1 message in <code>{message.queue}</code> will not be delivered any more
            {message.state === "delivered" ? ", and the handler that works on it now is told to stop" : ""}.
          </p>
          <div className="dialog-actions">
            <Button onClick={close}>Keep it</Button>
            <Button kind="danger" onClick={cancel}>
              Cancel message
            </Button>
          </div>
        </div>
      </Dialog>
    </>
  );
}
