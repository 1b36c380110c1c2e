import { type ReactNode, useState } from "react";
import { counted } from "../../format/number.js";
import { useClient } from "../../live/client.js";
import { useAllQueues } from "../../live/queues.js";
import type { MessageInfo } from "../../live/types.js";
import { Button } from "../../ui/button.js";
import { Dialog } from "../../ui/dialog.js";
import { useToasts } from "../../ui/toast.js";
import { Publish } from "../queue/publish.js";

/** The queue that a dead-letter queue of the default name belongs to; any other queue itself. */
export const originOf = (queue: string): string => queue.replace(/\.dead$/, "");

const OPEN_STATES: readonly MessageInfo["state"][] = ["queued", "delayed", "delivered", "retrying"];

/** What can be done with one message: send it back, publish an edited copy, cancel it. */
export function MessageActions({ message }: { message: MessageInfo }): ReactNode {
  const mq = useClient();
  const { say, fail } = useToasts();
  const [dialog, setDialog] = useState<"edit" | "cancel" | null>(null);
  const close = (): void => setDialog(null);
  // An edited copy goes not to the dead letters, but to the queue they came from.
  const { queues } = useAllQueues();
  const origin = queues.find((queue) => queue.name === message.queue)?.deadLetterOf ?? originOf(message.queue);
  const redrive = (): void => {
    mq.queue(message.queue)
      .redrive({ messages: [message.id] })
      .then(
        ({ count }) => say(`${counted(count, "message")} sent back to ${origin}.`),
        (error: unknown) => fail("It was not redriven.", error),
      );
  };
  const cancel = (): void => {
    close();
    mq.cancel(message.id).then(
      () => say(`${message.id} is cancelled.`),
      (error: unknown) => fail("It was not cancelled.", error),
    );
  };
  return (
    <>
      {message.state === "dead" && (
        <Button kind="primary" onClick={redrive}>
          Redrive
        </Button>
      )}
      {message.body !== undefined && message.type === "json" && (
        <Button onClick={() => setDialog("edit")}>Edit and publish again</Button>
      )}
      {OPEN_STATES.includes(message.state) && (
        <Button kind="danger" onClick={() => setDialog("cancel")}>
          Cancel message
        </Button>
      )}
      <Publish queue={origin} open={dialog === "edit"} close={close} like={message} />
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
