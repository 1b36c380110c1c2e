import { Pause, Play } from "lucide-react";
import { type ReactNode, useState } from "react";
import { Link } from "wouter";
import { queuePath, streamPath } from "../../format/address.js";
import { preview } from "../../format/body.js";
import { count } from "../../format/number.js";
import { exactDuration } from "../../format/parse.js";
import { useClient } from "../../live/client.js";
import { useAct } from "../../live/rights.js";
import type { ScheduleInfo } from "../../live/types.js";
import { Button } from "../../ui/button.js";
import { Confirm } from "../../ui/confirm.js";
import { Tag } from "../../ui/state.js";
import { Ago, Due } from "../../ui/time.js";
import { targetOf, whenOf } from "./when.js";

/** One schedule: when it fires, where to, and what can be done with it. */
export function ScheduleRow({ schedule, changed }: { schedule: ScheduleInfo; changed: () => void }): ReactNode {
  const mq = useClient();
  const { name, cron, everyMs, zone, paused, nextAt, lastAt, fired, lastError } = schedule;
  const target = targetOf(schedule);
  const act = useAct("manage", name);
  const [deleting, setDeleting] = useState(false);
  const { refused, busy } = act;
  const run = (what: () => Promise<unknown>, done: string, failed: string): void =>
    void act.run(what, { done: () => done, failed }).then(changed);
  return (
    <tr>
      <td>
        <span className="queue-name">
          <code title={preview(schedule.body)}>{name}</code>
          {paused && <Tag tone="retrying">paused</Tag>}
        </span>
      </td>
      <td className="nowrap">
        {cron === null ? (
          `every ${exactDuration(everyMs ?? 0)}`
        ) : (
          <>
            <code>{cron}</code> <span className="muted">{zone}</span>
          </>
        )}
      </td>
      <td>
        <span className="queue-name">
          {target.kind === "topic" ? (
            <code>{target.name}</code>
          ) : (
            <Link
              className="row-link"
              href={target.kind === "queue" ? queuePath(target.name) : streamPath(target.name)}
            >
              {target.name}
            </Link>
          )}
          <span className="muted">{target.kind}</span>
        </span>
      </td>
      <td className="nowrap">
        {nextAt === null ? <span className="muted">not while paused</span> : <Due at={nextAt} />}
      </td>
      <td>
        <span className="muted nowrap">{lastAt === null ? "never" : <Ago at={lastAt} />}</span>
        {/* Engines that have no schedules of their own may not say it. */}
        {lastError ? (
          <p className="refusal small">
            <Tag tone="dead">
              refused <Ago at={lastError.at} />
            </Tag>{" "}
            {lastError.message} <code className="muted">{lastError.code}</code>
          </p>
        ) : null}
      </td>
      <td className={fired === 0 ? "num zero" : "num"}>{count(fired)}</td>
      <td className="right">
        <span className="row-actions">
          <Button
            className="small"
            aria-label={`Run now: ${name}`}
            refused={refused}
            disabled={busy}
            onClick={() =>
              run(
                () => mq.schedules.run(name),
                `${name} fired: one message to ${target.name}.`,
                `${name} was not fired.`,
              )
            }
          >
            Run now
          </Button>
          <Button
            className="small"
            aria-label={`${paused ? "Resume" : "Pause"} ${name}`}
            refused={refused}
            disabled={busy}
            onClick={() =>
              run(
                () => (paused ? mq.schedules.resume(name) : mq.schedules.pause(name)),
                paused ? `${name} fires again.` : `${name} is paused.`,
                `${name} was not ${paused ? "resumed" : "paused"}.`,
              )
            }
          >
            {paused ? <Play size={13} aria-hidden="true" /> : <Pause size={13} aria-hidden="true" />}
            {paused ? "Resume" : "Pause"}
          </Button>
          <Button
            className="small"
            kind="danger"
            aria-label={`Delete ${name}`}
            refused={refused}
            disabled={busy}
            onClick={() => setDeleting(true)}
          >
            Delete
          </Button>
        </span>
        <Confirm
          title={`Delete ${name}?`}
          open={deleting}
          close={() => setDeleting(false)}
          keep="Keep it"
          label={`Delete ${name}`}
          busy={busy}
          act={() => {
            setDeleting(false);
            run(() => mq.schedules.delete(name), `${name} is deleted.`, `${name} was not deleted.`);
          }}
        >
          <code>{name}</code> ({whenOf({ cron, everyMs, zone })}) will not publish to <code>{target.name}</code> any
          more. What it has published stays.
        </Confirm>
      </td>
    </tr>
  );
}
