import type { ReactNode } from "react";
import { bytes } from "../../format/bytes.js";
import { duration } from "../../format/duration.js";
import { count } from "../../format/number.js";
import type { StreamSettings as Settings } from "../../live/types.js";
import { Figure } from "../../ui/views.js";

const or = (value: number | null | undefined, show: (value: number) => string, none: string): ReactNode =>
  value === null || value === undefined ? <span className="muted">{none}</span> : show(value);

/** How long a stream keeps what it has; whichever bound comes first. */
export function StreamSettings({ settings }: { settings: Settings }): ReactNode {
  return (
    <dl className="figures settings">
      <Figure label="Keep for">{or(settings.retentionMs, duration, "for ever")}</Figure>
      <Figure label="Keep at most">
        {or(settings.retentionCount, (many) => `${count(many)} messages`, "any number")}
      </Figure>
      <Figure label="Keep at most">{or(settings.retentionBytes, bytes, "any size")}</Figure>
      <Figure label="Unsettled by a group">
        {settings.keepUntilAcked === true ? "kept nevertheless" : <span className="muted">let go as well</span>}
      </Figure>
      <Figure label="Compaction">
        {settings.compaction === true ? "newest of each key" : <span className="muted">off</span>}
      </Figure>
      {settings.compaction === true && (
        <Figure label="Tombstones kept for">{or(settings.tombstoneMs, duration, "default")}</Figure>
      )}
    </dl>
  );
}
