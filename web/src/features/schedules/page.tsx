import { type ReactNode, useState } from "react";
import { counted } from "../../format/number.js";
import { useClient, useSocketUrl } from "../../live/client.js";
import { useQuery } from "../../live/use_query.js";
import { Button } from "../../ui/button.js";
import { Empty, ErrorView, PageHead, Panel, Skeleton } from "../../ui/views.js";
import { CreateSchedule } from "./create.js";
import { ScheduleRow } from "./row.js";
import "../queues/queues.css";
import "../../ui/table.css";
import "./schedules.css";

const FIRST_SCHEDULE = (url: string): string => `import { connect } from "postroad";

const mq = connect("${url}");
await mq.schedule("nightly-report", {
  cron: "0 3 * * *", zone: "Europe/Berlin",
  queue: "reports", message: { body: { kind: "daily" } },
});`;

/** All schedules; the one that fires next is not moved to the top, so that rows stay where they were read. */
export function SchedulesPage(): ReactNode {
  const mq = useClient();
  const url = useSocketUrl();
  const list = useQuery("schedules", () => mq.schedules.list(), 1_000);
  const [creating, setCreating] = useState(false);
  const schedules = list.data ?? [];
  return (
    <>
      <PageHead
        title="Schedules"
        lead="Messages that publish themselves. A restart neither forgets nor repeats one; what was missed while the broker was down fires once."
        actions={
          <Button kind="primary" onClick={() => setCreating(true)}>
            New schedule
          </Button>
        }
      />
      <Panel title={counted(schedules.length, "schedule")} flush className="live schedules">
        {list.error !== null && list.data === undefined ? (
          <ErrorView title="The schedules could not be read" error={list.error} retry={list.reload} />
        ) : list.loading ? (
          <Skeleton rows={4} label="Loading schedules" />
        ) : schedules.length === 0 ? (
          <Empty title="There is no schedule yet" code={FIRST_SCHEDULE(url)}>
            Make one here, or from a program. It lives in the broker, so no process of yours has to stay up for it.
          </Empty>
        ) : (
          <div className="table-wrap">
            <table className="table">
              <thead>
                <tr>
                  <th scope="col">Schedule</th>
                  <th scope="col">Fires</th>
                  <th scope="col">Publishes to</th>
                  <th scope="col">Next</th>
                  <th scope="col">Last</th>
                  <th scope="col" className="num">
                    Fired
                  </th>
                  <th scope="col">
                    <span className="visually-hidden">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {schedules.map((schedule) => (
                  <ScheduleRow key={schedule.name} schedule={schedule} changed={list.reload} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Panel>
      <CreateSchedule
        open={creating}
        close={() => setCreating(false)}
        done={list.reload}
        taken={schedules.map((schedule) => schedule.name)}
      />
    </>
  );
}
