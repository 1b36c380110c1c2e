import { useMessage } from "postroad/react";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { pretty } from "../../format/body.js";
import { bytes } from "../../format/bytes.js";
import { duration } from "../../format/duration.js";
import { useClient, useSocketUrl } from "../../live/client.js";
import { type EngineView, useEngine } from "../../live/engine.js";
import { usePlacePath } from "../../live/links.js";
import type { MessageInfo } from "../../live/types.js";
import { useQuery } from "../../live/use_query.js";
import { Code } from "../../ui/code.js";
import { Copy } from "../../ui/copy.js";
import { State } from "../../ui/state.js";
import { Ago } from "../../ui/time.js";
import { Empty, ErrorView, Figure, PageHead, Panel, Skeleton } from "../../ui/views.js";
import { MessageActions } from "./actions.js";
import { asCurl, asTypeScript } from "./copy_as.js";
import { LogLines } from "./log_lines.js";
import { Placements } from "./placements.js";
import { Timeline } from "./timeline.js";
import "./message.css";

const ENDED: readonly MessageInfo["state"][] = ["done", "dead", "expired", "purged", "cancelled"];

/** How long a message took from its first step to its last, when it has ended. */
function took(message: MessageInfo): number | null {
  if (!ENDED.includes(message.state)) return null;
  const last = message.timeline.at(-1)?.at;
  return last === undefined ? null : last - message.publishedAt;
}

/** Why there is no body to show. */
function bodyless(state: MessageInfo["state"], engine: EngineView | null): string {
  const cannot = engine?.capabilities.find(({ name }) => name === "peek")?.reason ?? null;
  if (cannot !== null) return cannot;
  if (engine !== null && engine.name !== "embedded" && ENDED.includes(state))
    return `The ${engine.name} engine keeps no body of a message that is settled.`;
  return "The body is not shown to those who may only follow the message.";
}

/** One message: what happened to it, what is in it, and how to publish it again. */
export function MessagePage({ id }: { id: string }): ReactNode {
  const mq = useClient();
  const url = useSocketUrl();
  const placePath = usePlacePath();
  const live = useMessage(id);
  // The watch never carries body and headers: they are read once, and again when the state changes.
  const read = useQuery(`${id} ${live.state ?? ""}`, () => mq.message(id));
  const first = useQuery(id, () => mq.message(id));
  const engine = useEngine();
  const latest = read.data ?? first.data;
  // Engines other than the embedded one forget a body when the message is settled: what was read before stays.
  const message = latest?.body === undefined && latest !== undefined ? { ...first.data, ...latest } : latest;
  const head = (actions: ReactNode): ReactNode => (
    <PageHead
      actions={actions}
      title={
        <span className="message-id">
          <code>{id}</code>
          <Copy text={id} label="Copy message id" />
        </span>
      }
      lead={
        message === undefined ? undefined : (
          <>
            A message of <Link href={placePath(message.queue)}>{message.queue}</Link>
          </>
        )
      }
    />
  );
  if (message === undefined) {
    const code = (first.error as { code?: string } | null)?.code;
    return (
      <>
        {head(null)}
        <Panel title="Message" flush>
          {first.error === null ? (
            <Skeleton rows={6} label="Loading the message" />
          ) : code === "message-not-found" || code === "gone" ? (
            <Empty title={code === "gone" ? "Older than the history" : "There is no such message"}>
              {code === "gone"
                ? "The journal keeps what was settled for a day; this message was settled before that."
                : "The id may be cut short, or of another broker."}
            </Empty>
          ) : (
            <ErrorView title="The message could not be read" error={first.error} retry={first.reload} />
          )}
        </Panel>
      </>
    );
  }
  const { message: watched } = live;
  const now: MessageInfo =
    watched === undefined
      ? message
      : {
          ...message,
          queue: watched.queue,
          state: watched.state,
          attempts: watched.attempts,
          result: watched.result ?? message.result,
          timeline: watched.timeline.length >= message.timeline.length ? watched.timeline : message.timeline,
        };
  const ended = took(now);
  const placements = watched?.placements ?? message.placements ?? [];
  const headers = Object.entries(message.headers ?? {});
  return (
    <>
      {head(<MessageActions message={now} />)}
      <dl className="figures message-figures live">
        <Figure label="State">
          <State state={now.state} />
        </Figure>
        <Figure label="Attempts">
          {now.attempts} of {message.attemptsMax}
        </Figure>
        <Figure label={ended === null ? "Published" : "From publish to end"}>
          {ended === null ? <Ago at={message.publishedAt} /> : duration(ended)}
        </Figure>
        <Figure label="Size">{bytes(message.size)}</Figure>
        <Figure label="Priority">{message.priority ?? 0}</Figure>
        <Figure label="Ordering key">
          {message.key ? <code>{message.key}</code> : <span className="muted">none</span>}
        </Figure>
      </dl>
      <div className="message-columns live">
        <div className="message-side">
          <Panel title="What happened">
            <Timeline steps={now.timeline} />
          </Panel>
          {live.logs.length > 0 && (
            <Panel title="What its handlers said" flush>
              <LogLines lines={live.logs} />
            </Panel>
          )}
        </div>
        <div className="message-side">
          {placements.length > 0 && (
            <Panel title="Where it went" flush>
              <Placements placements={placements} />
            </Panel>
          )}
          {message.body === undefined ? (
            <Panel title="Body">
              <p className="muted">{bodyless(now.state, engine)}</p>
            </Panel>
          ) : (
            <Code
              label={message.type === "json" ? "Body, JSON" : message.type === "text" ? "Body, text" : "Body, base64"}
              text={pretty(message.body)}
            />
          )}
          {message.result !== undefined && message.result !== null && (
            <Code label="Result" text={pretty(message.result)} />
          )}
          {headers.length > 0 && (
            <Code label="Headers" text={headers.map(([name, value]) => `${name}: ${value}`).join("\n")} />
          )}
          {message.body !== undefined && (
            <Panel title="Publish the same again">
              <div className="message-again">
                <Copy text={asCurl(message, url)} label="Copy as curl">
                  Copy as curl
                </Copy>
                <Copy text={asTypeScript(message, url)} label="Copy as TypeScript">
                  Copy as TypeScript
                </Copy>
              </div>
            </Panel>
          )}
        </div>
      </div>
    </>
  );
}
