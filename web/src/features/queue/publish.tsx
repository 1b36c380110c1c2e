import { type FormEvent, type ReactNode, useId, useState } from "react";
import { Link } from "wouter";
import { messagePath } from "../../format/address.js";
import { counted } from "../../format/number.js";
import { useClient } from "../../live/client.js";
import type { MessageInfo } from "../../live/types.js";
import { Button } from "../../ui/button.js";
import { Dialog } from "../../ui/dialog.js";
import { Field } from "../../ui/field.js";
import { useToasts } from "../../ui/toast.js";

const COUNT_MAX = 1_000;

/** What is wrong with a text as JSON, or null. */
export function jsonError(text: string): string | null {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

interface Props {
  readonly queue: string;
  readonly open: boolean;
  readonly close: () => void;
  /** The message to begin with, for an edited copy. */
  readonly like?: Pick<MessageInfo, "body" | "headers" | "key" | "priority">;
}

/** Something to begin with: in the demo's queue, what its workers understand. */
const example = (queue: string): unknown =>
  queue === "emails" ? { name: "Ada Lovelace", email: "ada@example.org", verify: null } : { hello: "world" };

/** Publishes one message, or the same several times, from the console. */
export function Publish({ queue, open, close, like }: Props): ReactNode {
  const mq = useClient();
  const { say } = useToasts();
  const bodyId = useId();
  const [body, setBody] = useState(() => JSON.stringify(like?.body ?? example(queue), null, 2));
  const [copies, setCopies] = useState("1");
  const [delay, setDelay] = useState("");
  const [priority, setPriority] = useState(like?.priority ? String(like.priority) : "");
  const [key, setKey] = useState(like?.key ?? "");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const wrong = jsonError(body);
  const many = Number(copies);
  const manyWrong = !Number.isInteger(many) || many < 1 || many > COUNT_MAX;

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (wrong !== null || manyWrong || busy) return;
    setBusy(true);
    setFailure(null);
    const value: unknown = JSON.parse(body);
    const options = {
      ...(delay === "" ? {} : { delayMs: Math.round(Number(delay) * 1_000) }),
      ...(priority === "" ? {} : { priority: Number(priority) }),
      ...(key === "" ? {} : { key }),
      ...(like?.headers ? { headers: like.headers } : {}),
    };
    try {
      const confirms = await Promise.all(Array.from({ length: many }, () => mq.queue(queue).publish(value, options)));
      const id = confirms[0]?.id ?? "";
      say(
        <>
          {counted(confirms.length, "message")} published: <Link href={messagePath(id)}>{id}</Link>
        </>,
      );
      close();
    } catch (error) {
      setFailure((error as Error).message);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog title={`Publish to ${queue}`} open={open} close={close}>
      <form className="dialog-content" onSubmit={(event) => void submit(event)}>
        <div className="field">
          <label htmlFor={bodyId}>Body, JSON</label>
          <textarea
            id={bodyId}
            spellCheck={false}
            value={body}
            aria-invalid={wrong !== null || undefined}
            aria-describedby={`${bodyId}-note`}
            onChange={(event) => setBody(event.target.value)}
          />
          <p id={`${bodyId}-note`} className="field-error">
            {wrong ?? ""}
          </p>
        </div>
        <div className="field-row">
          <Field
            label="How many"
            inputMode="numeric"
            value={copies}
            error={manyWrong ? `1 to ${COUNT_MAX}` : undefined}
            onChange={(event) => setCopies(event.target.value)}
          />
          <Field
            label="Delay, s"
            inputMode="decimal"
            placeholder="none"
            value={delay}
            onChange={(event) => setDelay(event.target.value)}
          />
          <Field
            label="Priority"
            inputMode="numeric"
            placeholder="0"
            value={priority}
            onChange={(event) => setPriority(event.target.value)}
          />
          <Field label="Ordering key" placeholder="none" value={key} onChange={(event) => setKey(event.target.value)} />
        </div>
        {failure !== null && (
          <p className="field-error" role="alert">
            {failure}
          </p>
        )}
        <div className="dialog-actions">
          <Button onClick={close}>Cancel</Button>
          <Button kind="primary" type="submit" busy={busy} disabled={wrong !== null || manyWrong}>
            Publish
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
