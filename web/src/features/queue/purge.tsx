import type { ReactNode } from "react";
import { counted } from "../../format/number.js";
import { useClient } from "../../live/client.js";
import { useAct } from "../../live/rights.js";
import { Confirm } from "../../ui/confirm.js";

interface Props {
  readonly queue: string;
  readonly total: number;
  readonly open: boolean;
  readonly close: () => void;
}

/** Asks once more before a queue is emptied, naming it and how much goes. */
export function Purge({ queue, total, open, close }: Props): ReactNode {
  const mq = useClient();
  const act = useAct("manage", queue);
  const leave = (): void => {
    act.reset();
    close();
  };
  const purge = (): void => {
    void act
      .run(() => mq.queue(queue).purge(), { done: ({ count }) => `${counted(count, "message")} purged from ${queue}.` })
      .then((ok) => ok && leave());
  };
  return (
    <Confirm
      title={`Purge ${queue}?`}
      open={open}
      close={leave}
      keep="Keep them"
      label={`Purge ${counted(total, "message")}`}
      act={purge}
      busy={act.busy}
      failure={act.failure}
    >
      {counted(total, "message")} that wait in <code>{queue}</code> will be gone for good. What a consumer holds now is
      not touched.
    </Confirm>
  );
}
