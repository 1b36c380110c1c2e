import { type ReactNode, useState } from "react";
import { counted } from "../../format/number.js";
import { parseHeaders } from "../../format/parse.js";
import { topicError } from "../../format/pattern.js";
import { useClient, useSocketUrl } from "../../live/client.js";
import type { Binding } from "../../live/types.js";
import { useQuery } from "../../live/use_query.js";
import { Button } from "../../ui/button.js";
import { Empty, ErrorView, PageHead, Panel, Skeleton } from "../../ui/views.js";
import { Publish } from "../publish/publish.js";
import { AddBinding } from "./add_binding.js";
import { Bindings } from "./bindings.js";
import { RemoveBinding } from "./remove_binding.js";
import { bindingKey, followed, targets } from "./route.js";
import { Tester } from "./tester.js";
import "../queues/queues.css";
import "../../ui/table.css";
import "./topics.css";

const FIRST_BINDING = (url: string): string => `import { connect } from "postroad";

const mq = connect("${url}");
await mq.queue("billing").declare();
await mq.bind("orders.*", { queue: "billing" });
await mq.topic("orders.new").publish({ order: 1001 });`;

/** Topics: which patterns copy where, and where a message would go. */
export function TopicsPage(): ReactNode {
  const mq = useClient();
  const url = useSocketUrl();
  const list = useQuery("bindings", () => mq.bindings(), 2_000);
  const [topic, setTopic] = useState("");
  const [headers, setHeaders] = useState("");
  const [dialog, setDialog] = useState<"add" | "publish" | null>(null);
  const [removing, setRemoving] = useState<Binding | null>(null);
  const bindings = list.data ?? [];
  const topicWrong = topic === "" ? null : topicError(topic);
  const parsed = parseHeaders(headers);
  const asked = topic !== "" && topicWrong === null && typeof parsed !== "string";
  const hits = asked ? followed(bindings, topic, parsed) : [];
  const close = (): void => setDialog(null);
  return (
    <>
      <PageHead
        title="Topics"
        lead="Messages are published to a topic; bindings copy them to queues and streams, to all of them or to none."
        actions={
          <>
            <Button kind="primary" onClick={() => setDialog("publish")}>
              Publish to a topic
            </Button>
            <Button onClick={() => setDialog("add")}>Add a binding</Button>
          </>
        }
      />
      <div className="topics-columns">
        <Panel title={counted(bindings.length, "binding")} flush className="live">
          {list.error !== null && list.data === undefined ? (
            <ErrorView title="The bindings could not be read" error={list.error} retry={list.reload} />
          ) : list.loading ? (
            <Skeleton rows={6} label="Loading bindings" />
          ) : bindings.length === 0 ? (
            <Empty title="There is no binding yet" code={FIRST_BINDING(url)}>
              A topic needs no declaration: it is a name. What no binding matches goes nowhere.
            </Empty>
          ) : (
            <Bindings bindings={bindings} followed={new Set(hits.map(bindingKey))} remove={setRemoving} />
          )}
        </Panel>
        <Tester
          topic={topic}
          setTopic={setTopic}
          topicWrong={topicWrong}
          headers={headers}
          setHeaders={setHeaders}
          headersWrong={typeof parsed === "string" ? parsed : null}
          found={targets(hits)}
        />
      </div>
      <Publish
        to={{ kind: "topic", name: topicWrong === null ? topic : "" }}
        open={dialog === "publish"}
        close={close}
        {...(typeof parsed === "string" || Object.keys(parsed).length === 0
          ? {}
          : { like: { body: { hello: "world" }, headers: parsed } })}
      />
      <AddBinding open={dialog === "add"} close={close} done={list.reload} />
      <RemoveBinding binding={removing} close={() => setRemoving(null)} done={list.reload} />
    </>
  );
}
