import { type ReactNode, useState } from "react";
import { count, counted } from "../../format/number.js";
import { placeOf } from "../../format/place.js";
import { useClient } from "../../live/client.js";
import { useAllQueues } from "../../live/queues.js";
import { useAct } from "../../live/rights.js";
import type { StreamStats } from "../../live/types.js";
import { Dialog } from "../../ui/dialog.js";
import { DialogForm } from "../../ui/dialog_form.js";
import { Field } from "../../ui/field.js";
import { Suggest } from "../../ui/suggest.js";

interface Props {
  readonly stream: StreamStats;
  readonly open: boolean;
  readonly close: () => void;
}

/** Copies a range of a stream to a queue: counted first, carried out only then. */
export function Replay({ stream, open, close }: Props): ReactNode {
  return (
    <Dialog title={`Replay ${stream.name}`} open={open} close={close}>
      <Form stream={stream} close={close} />
    </Dialog>
  );
}

const offsetOf = (text: string): number | null => {
  const place = placeOf({ kind: "offset", offset: text, time: "" });
  return place !== null && typeof place === "object" && "offset" in place ? place.offset : null;
};

function Form({ stream, close }: Omit<Props, "open">): ReactNode {
  const mq = useClient();
  const { queues } = useAllQueues();
  const [first, setFirst] = useState(String(stream.earliest));
  const [last, setLast] = useState(String(Math.max(stream.earliest, stream.next - 1)));
  const [queue, setQueue] = useState("");
  const act = useAct("manage", `${stream.name} ${queue.trim()}`);
  /** What a dry run counted, and of what: another range must be counted again. */
  const [tally, setTally] = useState<{ readonly of: string; readonly count: number } | null>(null);
  const range = { first: offsetOf(first), last: offsetOf(last) };
  const backwards = range.first !== null && range.last !== null && range.last < range.first;
  const of = `${first} ${last} ${queue}`;
  const found = tally?.of === of ? tally.count : null;
  const wrong = range.first === null || range.last === null || backwards || queue.trim() === "";

  const replay = async (dryRun: boolean): Promise<number> => {
    if (range.first === null || range.last === null) return 0;
    const answer = await mq
      .stream(stream.name)
      .replay({ first: range.first, last: range.last, queue: queue.trim(), dryRun });
    return answer.count;
  };
  const submit = (): void => {
    if (found === null)
      void act.run(
        async () => {
          const many = await replay(true);
          setTally({ of, count: many });
          return many;
        },
        { done: () => null },
      );
    else
      void act
        .run(() => replay(false), {
          done: (many) => `${counted(many, "message")} of ${stream.name} copied to ${queue}.`,
        })
        .then((ok) => ok && close());
  };
  return (
    <DialogForm
      act={act}
      wrong={wrong || found === 0}
      submit={submit}
      close={close}
      label={found === null ? "Count first" : `Replay ${counted(found, "message")}`}
    >
      <p className="muted">
        The stream has offsets {count(stream.earliest)} to {count(Math.max(stream.earliest, stream.next - 1))}. What is
        replayed is copied by reference; the stream and its groups are not touched.
      </p>
      <div className="field-row">
        <Field
          label="First offset"
          inputMode="numeric"
          value={first}
          error={range.first === null ? "A whole number from 0." : undefined}
          onChange={(event) => setFirst(event.target.value)}
        />
        <Field
          label="Last offset"
          inputMode="numeric"
          value={last}
          error={range.last === null ? "A whole number from 0." : backwards ? "Not before the first." : undefined}
          onChange={(event) => setLast(event.target.value)}
        />
      </div>
      <Suggest
        label="Into queue"
        placeholder="a queue"
        value={queue}
        set={setQueue}
        names={queues.filter((one) => one.deadLetterOf === undefined).map((one) => one.name)}
      />
      {found !== null && (
        <p role="status">
          <strong>{counted(found, "message")}</strong> would be copied to <code>{queue}</code>.
        </p>
      )}
    </DialogForm>
  );
}
