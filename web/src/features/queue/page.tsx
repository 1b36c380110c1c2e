import { Pause, Play } from "lucide-react";
import { useQueue } from "postroad/react";
import { type ReactNode, useState } from "react";
import { Link } from "wouter";
import { queuePath } from "../../format/address.js";
import { bytes } from "../../format/bytes.js";
import { duration } from "../../format/duration.js";
import { count } from "../../format/number.js";
import { rate } from "../../format/rate.js";
import { useClient, useSocketUrl } from "../../live/client.js";
import { useCannot } from "../../live/engine.js";
import { HISTORY_SLOTS, HISTORY_SPAN, useRates } from "../../live/history.js";
import { useAct } from "../../live/rights.js";
import { useQuery } from "../../live/use_query.js";
import { Button } from "../../ui/button.js";
import { RateChart } from "../../ui/chart.js";
import { ReadOnly } from "../../ui/read_only.js";
import { Tag } from "../../ui/state.js";
import { Empty, ErrorView, Figure, PageHead, Panel, Skeleton } from "../../ui/views.js";
import { Feed } from "../feed/feed.js";
import { Publish } from "../publish/publish.js";
import { FIRST_CONSUMER, FIRST_MESSAGE } from "../queues/snippets.js";
import { deliverable, waiting } from "../queues/sort.js";
import { SettingsDialog } from "../settings/dialog.js";
import { QUEUE_FIELDS } from "../settings/fields.js";
import { Consumers } from "./consumers.js";
import { DeadLetters } from "./dead_letters.js";
import { Messages } from "./messages.js";
import { Purge } from "./purge.js";
import { Settings } from "./settings.js";
import "../overview/overview.css";
import "./queue.css";

/** Its consumers, settings and ages: what a watch does not tell. */
const ASK_EVERY_MS = 1_000;
const NOTHING = { ready: 0, parked: 0, delayed: 0, retrying: 0, leased: 0 };

/** One queue: how deep, how fast, who consumes, what is in it. */
export function QueuePage({ name }: { name: string }): ReactNode {
  const mq = useClient();
  const url = useSocketUrl();
  const manage = useAct("manage", name);
  const publish = useAct("publish", name);
  const cannotPause = useCannot("pause");
  const queue = useQueue(name);
  const history = useRates(name);
  const detail = useQuery(name, () => mq.queue(name).details(), ASK_EVERY_MS);
  const [dialog, setDialog] = useState<"publish" | "purge" | "settings" | null>(null);

  if (detail.error !== null && detail.data === undefined) {
    const missing = (detail.error as { code?: string }).code === "queue-not-found";
    return (
      <>
        <PageHead title={<code>{name}</code>} />
        <Panel title={missing ? "No such queue" : "Not answered"} flush>
          {missing ? (
            <Empty title="There is no queue of this name" code={FIRST_MESSAGE(name, url)}>
              It begins with its first message or its first consumer. A dead-letter queue begins with the first message
              that failed for good.
            </Empty>
          ) : (
            <ErrorView title="The queue could not be read" error={detail.error} retry={detail.reload} />
          )}
        </Panel>
      </>
    );
  }
  const stats = detail.data?.queue;
  const origin = stats?.deadLetterOf;
  const paused = queue.paused ?? stats?.paused ?? false;
  // Null is what the engine cannot tell.
  const now = queue.stats ?? stats ?? NOTHING;
  const { parked, delayed, retrying, leased } = now;
  const waits = waiting(now);
  // Of dead letters all count: nobody is at work on the one before.
  const ready = origin === undefined ? now.ready : deliverable(now);
  // An age grows without anything happening, so the answer of the last second is better than the last change.
  const oldest = stats === undefined ? (queue.oldestMs ?? null) : stats.oldestMs;
  const limits = detail.data?.settings;
  const roomLeft = Math.max(0, (limits?.lengthMax ?? 0) - waits - leased);
  const close = (): void => setDialog(null);
  const togglePause = (): void => {
    const handle = mq.queue(name);
    void manage.run(() => (paused ? handle.resume() : handle.pause()), {
      done: () => (paused ? `${name} delivers again.` : `${name} is paused: nothing is delivered.`),
      failed: `${name} was not ${paused ? "resumed" : "paused"}.`,
    });
  };
  return (
    <>
      <PageHead
        title={
          <span className="queue-title">
            <code>{name}</code> {paused && <Tag tone="retrying">paused</Tag>}
          </span>
        }
        lead={
          origin === undefined ? undefined : (
            <>
              Dead letters of <Link href={queuePath(origin)}>{origin}</Link>: what used up its attempts, with the
              reason.
            </>
          )
        }
        actions={
          <>
            <Button
              kind={origin === undefined ? "primary" : "plain"}
              refused={publish.refused}
              onClick={() => setDialog("publish")}
            >
              Publish
            </Button>
            <Button data-key="p" busy={manage.busy} refused={cannotPause ?? manage.refused} onClick={togglePause}>
              {paused ? <Play size={15} aria-hidden="true" /> : <Pause size={15} aria-hidden="true" />}{" "}
              {paused ? "Resume" : "Pause"}
            </Button>
            <Button kind="danger" disabled={waits === 0} refused={manage.refused} onClick={() => setDialog("purge")}>
              Purge
            </Button>
          </>
        }
      />
      <ReadOnly reason={manage.refused ?? publish.refused} />
      <section className="overview-top live" aria-label="Depth">
        <div className="big-figure">
          <span className="big">{count(ready)}</span>
          <span className="muted">{origin === undefined ? "ready" : ready === 1 ? "dead letter" : "dead letters"}</span>
        </div>
        <dl className="figures">
          {origin === undefined && (
            <>
              <Figure label="Parked" title="Wait for an earlier message of their ordering key">
                {count(parked)}
              </Figure>
              <Figure label="Delayed">{count(delayed)}</Figure>
              <Figure label="Retrying" {...((retrying ?? 0) > 0 ? { tone: "retrying" } : {})}>
                {count(retrying)}
              </Figure>
              <Figure label="Leased">
                {count(leased)}
                {limits?.concurrencyMax ? <span className="muted"> of {count(limits.concurrencyMax)}</span> : null}
              </Figure>
              <Figure label="Done">{rate(queue.rateAcked ?? 0)}</Figure>
            </>
          )}
          <Figure label="Oldest">{oldest === null ? "none" : duration(oldest)}</Figure>
          <Figure label="Bodies">
            {bytes(stats === undefined ? 0 : stats.bytes)}
            {limits?.bytesMax ? <span className="muted"> of {bytes(limits.bytesMax)}</span> : null}
          </Figure>
          {limits?.lengthMax ? (
            <Figure label="Room left" {...(roomLeft < limits.lengthMax / 10 ? { tone: "retrying" } : {})}>
              {count(roomLeft)}
            </Figure>
          ) : null}
        </dl>
      </section>
      {origin === undefined ? (
        <>
          <div className="queue-columns live">
            <Panel title="Rates">
              <RateChart
                slots={HISTORY_SLOTS}
                span={HISTORY_SPAN}
                series={[
                  { name: "Published", tone: "queued", values: history.published },
                  { name: "Done", tone: "done", values: history.acked },
                ]}
              />
            </Panel>
            <Panel title="Consumers" flush>
              {detail.data === undefined ? (
                <Skeleton rows={3} label="Loading consumers" />
              ) : detail.data.consumers.length === 0 ? (
                <Empty title="Nobody consumes this queue" code={FIRST_CONSUMER(name, url)} />
              ) : (
                <Consumers consumers={detail.data.consumers} />
              )}
            </Panel>
          </div>
          <Messages queue={name} parked={parked} change={`${ready}/${parked}/${delayed}/${retrying}/${leased}`} />
        </>
      ) : (
        <DeadLetters queue={name} origin={origin} total={ready} />
      )}
      <Feed queue={name} />
      <Panel
        title="Settings"
        aside={
          <Button
            className="small"
            disabled={detail.data === undefined}
            refused={manage.refused}
            onClick={() => setDialog("settings")}
          >
            Edit settings
          </Button>
        }
      >
        {detail.data === undefined ? (
          <Skeleton rows={3} label="Loading settings" />
        ) : (
          <Settings queue={name} settings={detail.data.settings} />
        )}
      </Panel>
      {detail.data !== undefined && (
        <SettingsDialog
          name={name}
          fields={QUEUE_FIELDS}
          values={{
            ...detail.data.settings,
            deadLetter: detail.data.settings.deadLetter === "" ? `${name}.dead` : detail.data.settings.deadLetter,
          }}
          save={(changed) => mq.queue(name).declare(changed, { update: true })}
          saved={detail.reload}
          open={dialog === "settings"}
          close={close}
        />
      )}
      <Publish to={{ kind: "queue", name }} open={dialog === "publish"} close={close} />
      <Purge queue={name} total={waits} open={dialog === "purge"} close={close} />
    </>
  );
}
