import { type ReactNode, useState } from "react";
import { counted } from "../../format/number.js";
import { useSocketUrl } from "../../live/client.js";
import { useAllStreams } from "../../live/streams.js";
import { Empty, ErrorView, PageHead, Panel, Skeleton } from "../../ui/views.js";
import { FIRST_RECORD } from "./snippets.js";
import { byLargestLag } from "./sort.js";
import { StreamTable } from "./table.js";

/** All streams: the one whose groups are furthest behind comes first. */
export function StreamsPage(): ReactNode {
  const { streams, loading, error } = useAllStreams();
  const url = useSocketUrl();
  const [text, setText] = useState("");
  const shown = byLargestLag(streams.filter((stream) => stream.name.includes(text.trim())));
  return (
    <>
      <PageHead
        title="Streams"
        lead="A stream keeps its messages; each group reads them at its own pace. The one furthest behind comes first."
      />
      <Panel
        title={counted(streams.length, "stream")}
        flush
        className="live"
        aside={
          <input
            className="input"
            type="search"
            aria-label="Filter by name"
            placeholder="Filter by name"
            data-search
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        }
      >
        {error !== null ? (
          <ErrorView title="The streams could not be read" error={error} />
        ) : loading ? (
          <Skeleton rows={4} label="Loading streams" />
        ) : streams.length === 0 ? (
          <Empty title="There is no stream yet" code={FIRST_RECORD("clicks", url)}>
            A stream begins with its first message. Unlike a queue it keeps what was read, for as long as its settings
            say.
          </Empty>
        ) : shown.length === 0 ? (
          <Empty title="No stream matches the filter" />
        ) : (
          <StreamTable streams={shown} />
        )}
      </Panel>
    </>
  );
}
