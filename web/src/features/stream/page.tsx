import { useStreamStats } from "postroad/react";
import { type ReactNode, useState } from "react";
import { bytes } from "../../format/bytes.js";
import { duration } from "../../format/duration.js";
import { count, counted } from "../../format/number.js";
import { rate } from "../../format/rate.js";
import { useClient, useSocketUrl } from "../../live/client.js";
import { HISTORY_SLOTS, HISTORY_SPAN, useRates } from "../../live/history.js";
import { useAct } from "../../live/rights.js";
import { useAllStreams } from "../../live/streams.js";
import { Button } from "../../ui/button.js";
import { RateChart } from "../../ui/chart.js";
import { ReadOnly } from "../../ui/read_only.js";
import { Empty, ErrorView, Figure, PageHead, Panel, Skeleton } from "../../ui/views.js";
import { Publish } from "../publish/publish.js";
import { SettingsDialog } from "../settings/dialog.js";
import { STREAM_FIELDS } from "../settings/fields.js";
import { FIRST_GROUP, FIRST_RECORD } from "../streams/snippets.js";
import { largestLag } from "../streams/sort.js";
import { Groups } from "./groups.js";
import { StreamMessages } from "./messages.js";
import { Replay } from "./replay.js";
import { StreamSettings } from "./settings.js";
import "../overview/overview.css";
import "../queue/queue.css";
import "../feed/feed.css";
import "./stream.css";

/** One stream: what it keeps, how far each group is, what comes in. */
export function StreamPage({ name }: { name: string }): ReactNode {
  const mq = useClient();
  const url = useSocketUrl();
  const { streams } = useAllStreams();
  const history = useRates(name);
  const { stats: stream, error } = useStreamStats(name);
  const [dialog, setDialog] = useState<"publish" | "replay" | "settings" | null>(null);
  const manage = useAct("manage", name);
  const publish = useAct("publish", name);
  const close = (): void => setDialog(null);

  if (stream === undefined) {
    const missing = error?.code === "queue-not-found";
    return (
      <>
        <PageHead title={<code>{name}</code>} />
        <Panel title={missing ? "No such stream" : "Stream"} flush>
          {error === undefined ? (
            <Skeleton rows={6} label="Loading the stream" />
          ) : missing ? (
            <Empty title="There is no stream of this name" code={FIRST_RECORD(name, url)}>
              It begins with its first message or its first group.
            </Empty>
          ) : (
            <ErrorView title="The stream could not be read" error={error} />
          )}
        </Panel>
      </>
    );
  }
  const lag = largestLag(stream);
  const published = streams.find((one) => one.name === name)?.ratePublished ?? 0;
  return (
    <>
      <PageHead
        title={<code>{name}</code>}
        lead={
          stream.messages === 0
            ? `A stream without messages; the next one has offset ${count(stream.next)}.`
            : `A stream, offsets ${count(stream.earliest)} to ${count(stream.next - 1)}.`
        }
        actions={
          <>
            <Button kind="primary" refused={publish.refused} onClick={() => setDialog("publish")}>
              Publish
            </Button>
            <Button disabled={stream.messages === 0} refused={manage.refused} onClick={() => setDialog("replay")}>
              Replay to a queue
            </Button>
          </>
        }
      />
      <ReadOnly reason={manage.refused ?? publish.refused} />
      <section className="overview-top live" aria-label="Depth">
        <div className="big-figure">
          <span className="big">{count(stream.messages)}</span>
          <span className="muted">{stream.messages === 1 ? "message kept" : "messages kept"}</span>
        </div>
        <dl className="figures">
          <Figure label="Published">{rate(published)}</Figure>
          <Figure label="Next offset">{count(stream.next)}</Figure>
          <Figure label="Largest lag" {...((lag ?? 0) > 0 ? { tone: "retrying" } : {})}>
            {lag === null ? <span className="muted">no groups</span> : count(lag)}
          </Figure>
          <Figure label="Oldest">{stream.oldestMs === null ? "none" : duration(stream.oldestMs)}</Figure>
          <Figure label="Bodies">{bytes(stream.bytes)}</Figure>
          {stream.trimmedTotal !== undefined && (
            <Figure label="Trimmed" title="Let go by retention so far">
              {count(stream.trimmedTotal)}
            </Figure>
          )}
          {stream.settings.compaction && stream.compactedTotal !== undefined && (
            <Figure label="Compacted" title="Let go so far because a newer message of their key came">
              {count(stream.compactedTotal)}
            </Figure>
          )}
        </dl>
      </section>
      <Panel
        title={stream.groups.length === 0 ? "Groups" : counted(stream.groups.length, "group")}
        flush
        className="live"
      >
        {stream.groups.length === 0 ? (
          <Empty title="No group reads this stream" code={FIRST_GROUP(name, url)}>
            Consumers of one group share the work; every group gets all messages.
          </Empty>
        ) : (
          <Groups stream={stream} manage={manage} />
        )}
      </Panel>
      <StreamMessages stream={name} snippet={FIRST_RECORD(name, url)} />
      <div className="queue-columns live">
        <Panel title="Rates">
          <RateChart
            slots={HISTORY_SLOTS}
            span={HISTORY_SPAN}
            series={[
              { name: "Published", tone: "queued", values: history.published },
              { name: "Done by all groups", tone: "done", values: history.acked },
            ]}
          />
        </Panel>
        <Panel
          title="Settings"
          aside={
            <Button className="small" refused={manage.refused} onClick={() => setDialog("settings")}>
              Edit settings
            </Button>
          }
        >
          <StreamSettings settings={stream.settings} />
        </Panel>
      </div>
      <Publish to={{ kind: "stream", name }} open={dialog === "publish"} close={close} />
      <Replay stream={stream} open={dialog === "replay"} close={close} />
      <SettingsDialog
        name={name}
        fields={STREAM_FIELDS}
        values={{ ...stream.settings }}
        save={(changed) => mq.stream(name).declare(changed, { update: true })}
        open={dialog === "settings"}
        close={close}
      />
    </>
  );
}
