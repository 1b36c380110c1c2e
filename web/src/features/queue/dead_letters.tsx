import { type ReactNode, useState } from "react";
import { Link } from "wouter";
import { messagePath } from "../../format/address.js";
import { preview } from "../../format/body.js";
import { counted } from "../../format/number.js";
import { useClient } from "../../live/client.js";
import { useCannot } from "../../live/engine.js";
import { useAct } from "../../live/rights.js";
import type { ListedMessage } from "../../live/types.js";
import { Button } from "../../ui/button.js";
import { Dialog } from "../../ui/dialog.js";
import { ReadOnly } from "../../ui/read_only.js";
import { Ago } from "../../ui/time.js";
import { Empty } from "../../ui/views.js";
import { EditLetter } from "../message/edit_letter.js";
import { Timeline } from "../message/timeline.js";
import { Browsed, useBrowsing } from "./browsed.js";
import { useBrowse } from "./use_browse.js";

const NONE: ReadonlySet<string> = new Set();

/** When and why a message was set aside. */
function death(message: ListedMessage): { at: number; reason: string } {
  const step = message.timeline?.findLast((one) => one.kind === "dead");
  return { at: message.deadAt ?? step?.at ?? message.publishedAt, reason: message.reason ?? step?.reason ?? "" };
}

/** A dead-letter queue: the reason of each, its attempts, and the way back. */
export function DeadLetters({ queue, origin, total }: { queue: string; origin: string; total: number }): ReactNode {
  const mq = useClient();
  const [selected, setSelected] = useState(NONE);
  const [opened, setOpened] = useState<string | null>(null);
  const [discarding, setDiscarding] = useState(false);
  const act = useAct("redrive", queue);
  const cannotEdit = useCannot("edit");
  const cannotRedrive = useCannot("redrive");
  const { busy } = act;
  const refused = cannotRedrive ?? act.refused;
  const [editing, setEditing] = useState<string | null>(null);
  const held = !busy && (selected.size > 0 || editing !== null);
  const browsing = useBrowsing(queue, String(total), held, (fields, page) =>
    mq.queue(queue).peek({ ...fields, ...page, state: "ready" }),
  );
  const { list } = browsing;
  const messages = list.messages ?? [];
  const chosen = messages.filter((message) => selected.has(message.id)).map((message) => message.id);

  const run = (done: (count: number) => string, failed: string, what: () => Promise<{ count: number }>): void =>
    void act.run(what, { done: ({ count }) => done(count), failed }).then((ok) => {
      if (!ok) return;
      setSelected(NONE);
      list.refresh();
    });
  const redrive = (ids: readonly string[] | null): void =>
    run(
      (count) => `${counted(count, "message")} sent back to ${origin}.`,
      "Nothing was redriven.",
      () => mq.queue(queue).redrive(ids === null ? {} : { messages: ids }),
    );
  const toggle = (id: string): void => {
    const next = new Set(selected);
    if (!next.delete(id)) next.add(id);
    setSelected(next);
  };
  return (
    <>
      <Browsed
        title="Dead letters"
        what="dead letters"
        browsing={browsing}
        note={<ReadOnly reason={act.refused} />}
        empty={
          <Empty title="No dead letters">
            A message lands here when its last attempt has failed. It keeps its id, its body and the reason, and can be
            sent back.
          </Empty>
        }
        blind="How many there are is known, and they can be sent back or purged together."
        tools={
          <>
            {chosen.length > 0 && (
              <>
                <Button className="small" data-key="r" busy={busy} refused={refused} onClick={() => redrive(chosen)}>
                  Redrive {chosen.length} selected
                </Button>
                <Button
                  className="small"
                  kind="danger"
                  disabled={busy}
                  refused={refused}
                  onClick={() => setDiscarding(true)}
                >
                  Discard {chosen.length} selected
                </Button>
              </>
            )}
            <Button
              className="small"
              kind="primary"
              busy={busy}
              disabled={total === 0}
              refused={refused}
              onClick={() => redrive(null)}
            >
              Redrive all
            </Button>
          </>
        }
        head={
          <>
            <th scope="col">
              <input
                type="checkbox"
                aria-label="Select all shown"
                checked={chosen.length === messages.length}
                onChange={(event) =>
                  setSelected(event.target.checked ? new Set(messages.map((message) => message.id)) : NONE)
                }
              />
            </th>
            <th scope="col">Id</th>
            <th scope="col">Reason</th>
            <th scope="col" className="num">
              Attempts
            </th>
            <th scope="col">Set aside</th>
            <th scope="col">Body</th>
            <th scope="col">
              <span className="visually-hidden">Actions</span>
            </th>
          </>
        }
      >
        {messages.map((message) => (
          <Row
            key={message.id}
            message={message}
            selected={selected.has(message.id)}
            opened={opened === message.id}
            busy={busy}
            refused={refused}
            uneditable={cannotEdit ?? refused}
            toggle={() => toggle(message.id)}
            open={() => setOpened(opened === message.id ? null : message.id)}
            redrive={() => redrive([message.id])}
            edit={() => setEditing(message.id)}
          />
        ))}
      </Browsed>
      <EditLetter
        queue={queue}
        origin={origin}
        id={editing}
        close={() => setEditing(null)}
        done={() => list.refresh()}
      />
      <Dialog
        title={`Discard ${counted(chosen.length, "dead letter")}?`}
        open={discarding}
        close={() => setDiscarding(false)}
      >
        <div className="dialog-content">
          <p>
            {counted(chosen.length, "message")} in <code>{queue}</code> will be settled as purged. This cannot be
            undone.
          </p>
          <div className="dialog-actions">
            <Button onClick={() => setDiscarding(false)}>Keep them</Button>
            <Button
              kind="danger"
              onClick={() => {
                setDiscarding(false);
                run(
                  (count) => `${counted(count, "message")} discarded.`,
                  "Nothing was discarded.",
                  () => mq.queue(queue).discard(chosen),
                );
              }}
            >
              Discard {chosen.length}
            </Button>
          </div>
        </div>
      </Dialog>
    </>
  );
}

interface RowProps {
  readonly message: ListedMessage;
  readonly selected: boolean;
  readonly opened: boolean;
  readonly busy: boolean;
  readonly refused: string | null;
  readonly uneditable: string | null;
  readonly toggle: () => void;
  readonly open: () => void;
  readonly redrive: () => void;
  readonly edit: () => void;
}

function Row({
  message,
  selected,
  opened,
  busy,
  refused,
  uneditable,
  toggle,
  open,
  redrive,
  edit,
}: RowProps): ReactNode {
  const { at, reason } = death(message);
  return (
    <>
      <tr aria-selected={selected}>
        <td>
          <input type="checkbox" aria-label={`Select ${message.id}`} checked={selected} onChange={toggle} />
        </td>
        <td>
          <Link className="row-link" href={messagePath(message.id)} data-row>
            {message.id}
          </Link>
        </td>
        <td className="clip" title={reason}>
          {reason}
        </td>
        <td className="num">
          <button
            type="button"
            className="text-button"
            aria-expanded={opened}
            aria-label={`${message.attempts} of ${message.attemptsMax} attempts of ${message.id}`}
            onClick={open}
          >
            {message.attempts} of {message.attemptsMax}
          </button>
        </td>
        <td className="muted nowrap">
          <Ago at={at} />
        </td>
        <td className="clip fill mono muted">{preview(message.body ?? "")}</td>
        <td className="right">
          <span className="row-actions">
            {message.type !== "bytes" && (
              <Button
                className="small"
                disabled={busy}
                refused={uneditable}
                aria-label={`Edit and redrive ${message.id}`}
                onClick={edit}
              >
                Edit
              </Button>
            )}
            <Button
              className="small"
              disabled={busy}
              refused={refused}
              aria-label={`Redrive ${message.id}`}
              onClick={redrive}
            >
              Redrive
            </Button>
          </span>
        </td>
      </tr>
      {opened && (
        <tr>
          <td />
          <td colSpan={6} className="attempts">
            <Attempts id={message.id} so={message} />
          </td>
        </tr>
      )}
    </>
  );
}

/** The attempt history, read when it is opened: lists may come without it. */
function Attempts({ id, so }: { id: string; so: ListedMessage }): ReactNode {
  const mq = useClient();
  const list = useBrowse(`message ${id}`, "", false, async () => ({ messages: [await mq.message(id)], next: null }));
  const steps = list.messages?.[0]?.timeline ?? so.timeline;
  if (steps === undefined)
    return <p className="muted">{list.error === null ? "Reading the history …" : "The history could not be read."}</p>;
  return <Timeline steps={steps} label={`Attempts of ${id}`} />;
}
