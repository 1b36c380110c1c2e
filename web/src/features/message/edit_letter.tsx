import { type ReactNode, useState } from "react";
import { Link } from "wouter";
import { messagePath } from "../../format/address.js";
import { jsonError } from "../../format/body.js";
import { headerLines, parseHeaders } from "../../format/parse.js";
import { useClient } from "../../live/client.js";
import { useAct } from "../../live/rights.js";
import type { MessageInfo } from "../../live/types.js";
import { useQuery } from "../../live/use_query.js";
import { Dialog } from "../../ui/dialog.js";
import { DialogForm } from "../../ui/dialog_form.js";
import { TextArea } from "../../ui/text_area.js";
import { ErrorView, Skeleton } from "../../ui/views.js";

interface Props {
  /** The dead-letter queue that it is in. */
  readonly queue: string;
  readonly origin: string;
  /** The dead letter; null while the dialog is closed. */
  readonly id: string | null;
  readonly close: () => void;
  readonly done: () => void;
}

/** Corrects a dead letter: the new one goes where the dead one came from, which is settled in the same step. */
export function EditLetter({ queue, origin, id, close, done }: Props): ReactNode {
  return (
    <Dialog title={`Edit and redrive ${id ?? ""}`} open={id !== null} close={close}>
      {id !== null && <Letter queue={queue} origin={origin} id={id} close={close} done={done} />}
    </Dialog>
  );
}

function Letter(props: Props & { id: string }): ReactNode {
  const mq = useClient();
  const read = useQuery(props.id, () => mq.message(props.id));
  if (read.data !== undefined) return <Form {...props} letter={read.data} />;
  if (read.error !== null)
    return <ErrorView title="The dead letter could not be read" error={read.error} retry={read.reload} />;
  return <Skeleton rows={4} label="Loading the dead letter" />;
}

function Form({ queue, origin, id, close, done, letter }: Props & { id: string; letter: MessageInfo }): ReactNode {
  const mq = useClient();
  const act = useAct("redrive", queue);
  const isText = letter.type === "text";
  const [body, setBody] = useState(() => (isText ? String(letter.body) : JSON.stringify(letter.body, null, 2)));
  const [headers, setHeaders] = useState(() => headerLines(letter.headers));
  const bodyWrong = isText ? null : jsonError(body);
  const parsed = parseHeaders(headers);
  const headersWrong = typeof parsed === "string" ? parsed : null;
  const submit = (): void => {
    if (typeof parsed === "string") return;
    const options = {
      ...(isText ? { type: "text" as const } : {}),
      ...(Object.keys(parsed).length === 0 ? {} : { headers: parsed }),
      ...(letter.key ? { key: letter.key } : {}),
      ...(letter.priority ? { priority: letter.priority } : {}),
    };
    void act
      .run(() => mq.queue(queue).edit(id, isText ? body : (JSON.parse(body) as unknown), options), {
        done: (sent) => (
          <>
            {id} went back to {origin} as <Link href={messagePath(sent.id)}>{sent.id}</Link>.
          </>
        ),
      })
      .then((ok) => {
        if (!ok) return;
        done();
        close();
      });
  };
  return (
    <DialogForm
      act={act}
      wrong={bodyWrong !== null || headersWrong !== null}
      submit={submit}
      close={close}
      label={`Redrive to ${origin}`}
    >
      {letter.reason && (
        <p className="muted">
          It was set aside because of <code>{letter.reason}</code>
        </p>
      )}
      <TextArea
        label={isText ? "Body, text" : "Body, JSON"}
        value={body}
        error={bodyWrong}
        onChange={(event) => setBody(event.target.value)}
      />
      <TextArea
        label="Headers, one name: value a line"
        short
        value={headers}
        error={headersWrong}
        onChange={(event) => setHeaders(event.target.value)}
      />
    </DialogForm>
  );
}
