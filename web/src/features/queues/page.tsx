import { type ReactNode, useMemo, useState } from "react";
import { counted } from "../../format/number.js";
import { useSocketUrl } from "../../live/client.js";
import { useAllQueues } from "../../live/queues.js";
import { Empty, PageHead, Panel, Skeleton } from "../../ui/views.js";
import { FIRST_MESSAGE } from "./snippets.js";
import { backlog, byAttention } from "./sort.js";
import { QueueTable } from "./table.js";
import "./queues.css";

/** All queues: what needs attention first. */
export function QueuesPage(): ReactNode {
  const { queues, loading } = useAllQueues();
  const url = useSocketUrl();
  const [text, setText] = useState("");
  const [hideEmpty, setHideEmpty] = useState(false);
  const shown = useMemo(
    () => byAttention(queues.filter((queue) => queue.name.includes(text.trim()) && (!hideEmpty || backlog(queue) > 0))),
    [queues, text, hideEmpty],
  );
  return (
    <>
      <PageHead
        title="Queues"
        lead="What needs attention comes first: dead letters, nobody consuming, paused, retrying."
      />
      <Panel
        title={counted(queues.length, "queue")}
        flush
        className="live"
        aside={
          <div className="filters">
            <label className="check">
              <input type="checkbox" checked={hideEmpty} onChange={(event) => setHideEmpty(event.target.checked)} />{" "}
              Hide empty
            </label>
            <input
              className="input"
              type="search"
              aria-label="Filter by name"
              placeholder="Filter by name"
              data-search
              value={text}
              onChange={(event) => setText(event.target.value)}
            />
          </div>
        }
      >
        {loading ? (
          <Skeleton rows={6} label="Loading queues" />
        ) : queues.length === 0 ? (
          <Empty title="There is no queue yet" code={FIRST_MESSAGE("emails", url)}>
            A queue begins with its first message. Run this in Node, and it appears here.
          </Empty>
        ) : shown.length === 0 ? (
          <Empty title="No queue matches the filter" />
        ) : (
          <QueueTable queues={shown} />
        )}
      </Panel>
    </>
  );
}
