import { type ReactNode, useState } from "react";
import { Link } from "wouter";
import { messagePath } from "../../format/address.js";
import { pretty } from "../../format/body.js";
import { count } from "../../format/number.js";
import { headerLines } from "../../format/parse.js";
import { Code } from "../../ui/code.js";
import { Clock } from "../../ui/time.js";
import { rowPreview, type StreamRow } from "./rows.js";

const MARKED_MAX = 3;

/** Messages by offset; a row opens to its whole body and headers. */
export function StreamRows({ rows, freshFrom }: { rows: readonly StreamRow[]; freshFrom: number }): ReactNode {
  const [opened, setOpened] = useState<number | null>(null);
  // At speed everything is new: then nothing is marked.
  const marks = rows.filter((row) => row.offset > freshFrom).length <= MARKED_MAX;
  return (
    <table className="table stream-rows">
      <thead>
        <tr>
          <th scope="col" className="num">
            Offset
          </th>
          <th scope="col">Published</th>
          <th scope="col">Key</th>
          <th scope="col">Headers</th>
          <th scope="col">Body</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <Row
            key={row.offset}
            row={row}
            fresh={marks && row.offset > freshFrom}
            opened={opened === row.offset}
            toggle={() => setOpened(opened === row.offset ? null : row.offset)}
          />
        ))}
      </tbody>
    </table>
  );
}

interface Props {
  readonly row: StreamRow;
  readonly fresh: boolean;
  readonly opened: boolean;
  readonly toggle: () => void;
}

function Row({ row, fresh, opened, toggle }: Props): ReactNode {
  const headers = Object.keys(row.headers ?? {}).length;
  return (
    <>
      <tr className={fresh ? "fresh" : undefined}>
        <td className="num">
          <button
            type="button"
            className="text-button"
            aria-expanded={opened}
            aria-label={`Offset ${count(row.offset)}`}
            data-row
            onClick={toggle}
          >
            {count(row.offset)}
          </button>
        </td>
        <td className="muted nowrap">
          <Clock at={row.publishedAt} />
        </td>
        <td className="mono nowrap">{row.key}</td>
        <td className="clip headers mono muted">{headerLines(row.headers).replaceAll("\n", ", ")}</td>
        <td className="clip fill mono muted">{rowPreview(row)}</td>
      </tr>
      {opened && (
        <tr className="opened">
          <td colSpan={5}>
            <div className="stream-message">
              <Code label={`Body of offset ${count(row.offset)}`} text={pretty(row.body)} />
              {headers > 0 && <Code label="Headers" text={headerLines(row.headers)} />}
              <p className="small">
                Message <Link href={messagePath(row.id)}>{row.id}</Link>
              </p>
            </div>
          </td>
        </tr>
      )}
    </>
  );
}
