import type { ReactNode } from "react";
import { Link } from "wouter";
import { duration } from "../../format/duration.js";
import { count, counted } from "../../format/number.js";
import { rate } from "../../format/rate.js";
import { useClient, useSocketUrl } from "../../live/client.js";
import { useAllQueues } from "../../live/queues.js";
import { useAllStreams } from "../../live/streams.js";
import { useQuery } from "../../live/use_query.js";
import { Tag } from "../../ui/state.js";
import { Empty, ErrorView, Figure, PageHead, Panel, Skeleton } from "../../ui/views.js";
import { DURABILITY } from "../engine/page.js";
import { Feed } from "../feed/feed.js";
import { FIRST_CONSUMER, FIRST_MESSAGE } from "../queues/snippets.js";
import { attention, byAttention, deliverable, waiting } from "../queues/sort.js";
import { QueueTable } from "../queues/table.js";
import { byLargestLag } from "../streams/sort.js";
import { StreamTable } from "../streams/table.js";
import { TotalRates } from "./total_rates.js";
import "../queues/queues.css";
import "./overview.css";

const SHOWN_MAX = 10;

/** The whole broker on one page. */
export function OverviewPage(): ReactNode {
  const mq = useClient();
  const url = useSocketUrl();
  const { queues, loading } = useAllQueues();
  const { streams } = useAllStreams();
  const overview = useQuery("overview", () => mq.overview(), 2_000);
  const sum = (of: (queue: (typeof queues)[number]) => number): number =>
    queues.reduce((total, queue) => total + of(queue), 0);
  const wait = sum((queue) => (queue.deadLetterOf === undefined ? waiting(queue) : 0));
  const dead = sum((queue) => (queue.deadLetterOf === undefined ? 0 : deliverable(queue)));
  const looking = queues.filter((queue) => attention(queue) !== null);
  const about = overview.data;
  return (
    <>
      <PageHead
        title="Overview"
        lead={
          about === undefined
            ? "One broker, live."
            : `${about.engine} engine, up for ${duration(about.uptimeMs)}, ${counted(about.connections, "connection")}; ${DURABILITY[about.durability] ?? about.durability}.`
        }
      />
      {overview.error !== null && about === undefined && (
        <ErrorView title="The overview was not answered" error={overview.error} retry={overview.reload} />
      )}
      <section className="overview-top live" aria-label="Now">
        <div className="big-figure">
          <span className="big">{count(wait)}</span>
          <span className="muted">{wait === 1 ? "message waits" : "messages wait"}</span>
        </div>
        <dl className="figures">
          <Figure label="In hand">{count(sum((queue) => queue.leased))}</Figure>
          <Figure label="Published">{rate(sum((queue) => queue.ratePublished))}</Figure>
          <Figure label="Done">{rate(sum((queue) => queue.rateAcked))}</Figure>
          <Figure label="Done in all">{count(sum((queue) => queue.ackedTotal))}</Figure>
          <Figure label="Dead letters" {...(dead > 0 ? { tone: "dead" } : {})}>
            {count(dead)}
          </Figure>
        </dl>
      </section>
      {loading ? (
        <Panel title="Queues">
          <Skeleton rows={4} label="Loading queues" />
        </Panel>
      ) : queues.length === 0 && streams.length === 0 ? (
        <Panel title="Start here" flush>
          <div className="start-here">
            <Empty title="The broker is running and empty" code={FIRST_MESSAGE("emails", url)}>
              Publish the first message; the queue is made by it.
            </Empty>
            <Empty title="Then consume it" code={FIRST_CONSUMER("emails", url)} />
          </div>
        </Panel>
      ) : (
        <>
          <Panel title="Rates of all queues" className="live">
            <TotalRates names={queues.map((queue) => queue.name)} />
          </Panel>
          <Panel
            title="Queues"
            flush
            className="live"
            aside={looking.length > 0 && <Tag tone="retrying">{counted(looking.length, "queue")} to look at</Tag>}
          >
            <QueueTable queues={byAttention(queues).slice(0, SHOWN_MAX)} />
            {queues.length > SHOWN_MAX && (
              <p className="overview-more small">
                <Link href="/queues">All {counted(queues.length, "queue")}</Link>
              </p>
            )}
          </Panel>
        </>
      )}
      {streams.length > 0 && (
        <Panel title="Streams" flush className="live">
          <StreamTable streams={byLargestLag(streams).slice(0, SHOWN_MAX)} />
          {streams.length > SHOWN_MAX && (
            <p className="overview-more small">
              <Link href="/streams">All {counted(streams.length, "stream")}</Link>
            </p>
          )}
        </Panel>
      )}
      <Feed queue={null} />
    </>
  );
}
