import { type ReactNode, useMemo } from "react";
import { Link, Route, Switch } from "wouter";
import type { Config } from "./api/config.js";
import { Demo } from "./api/demo.js";
import { DemoPage } from "./features/demo/page.js";
import { Needs } from "./features/engine/needs.js";
import { EnginePage } from "./features/engine/page.js";
import { MessagePage } from "./features/message/page.js";
import { OverviewPage } from "./features/overview/page.js";
import { QueuePage } from "./features/queue/page.js";
import { QueuesPage } from "./features/queues/page.js";
import { SchedulesPage } from "./features/schedules/page.js";
import { Shell } from "./features/shell/shell.js";
import { StreamPage } from "./features/stream/page.js";
import { StreamsPage } from "./features/streams/page.js";
import { TopicsPage } from "./features/topics/page.js";
import { Empty, PageHead, Panel } from "./ui/views.js";

/** Every address of the app. With a demo behind it, the front page is the demo. */
export function App({ config }: { config: Config }): ReactNode {
  const demo = useMemo(() => (config.demo === null ? null : new Demo(config.demo.api, config.demo.stage)), [config]);
  return (
    <Shell demo={demo !== null}>
      <Switch>
        <Route path="/">{demo === null ? <OverviewPage /> : <DemoPage demo={demo} />}</Route>
        <Route path="/overview">
          <OverviewPage />
        </Route>
        <Route path="/queues">
          <QueuesPage />
        </Route>
        <Route path="/queues/:name">{({ name }) => <QueuePage key={name} name={decodeURIComponent(name)} />}</Route>
        <Route path="/streams">
          <Needs capability="streams" title="Streams">
            <StreamsPage />
          </Needs>
        </Route>
        <Route path="/streams/:name">
          {({ name }) => (
            <Needs capability="streams" title={decodeURIComponent(name)}>
              <StreamPage key={name} name={decodeURIComponent(name)} />
            </Needs>
          )}
        </Route>
        <Route path="/topics">
          <Needs capability="topics" title="Topics">
            <TopicsPage />
          </Needs>
        </Route>
        <Route path="/schedules">
          <Needs capability="schedules" title="Schedules">
            <SchedulesPage />
          </Needs>
        </Route>
        <Route path="/engine">
          <EnginePage />
        </Route>
        <Route path="/messages/:id">{({ id }) => <MessagePage key={id} id={decodeURIComponent(id)} />}</Route>
        <Route>
          <PageHead title="Not on the map" />
          <Panel title="No such page" flush>
            <Empty title="There is no page at this address">
              <Link href="/">Back to the front page</Link>
            </Empty>
          </Panel>
        </Route>
      </Switch>
    </Shell>
  );
}
