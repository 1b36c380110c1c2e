import { useMessage, useQueue } from "postroad/react";
import { type ReactNode, useMemo } from "react";
import type { Demo } from "../../api/demo.js";
import { duration } from "../../format/duration.js";
import { useClient } from "../../live/client.js";
import { useAllQueues } from "../../live/queues.js";
import { useQuery } from "../../live/use_query.js";
import { toneOf } from "../../ui/state.js";
import { Feed } from "../feed/feed.js";
import { waiting } from "../queues/sort.js";
import { Bench } from "./bench.js";
import { CodeBehind } from "./code_behind.js";
import { Mailbox } from "./mailbox.js";
import { useMine } from "./mine.js";
import { RoadLive } from "./road_live.js";
import { SignUpForm } from "./sign_up_form.js";
import { stopOf } from "./stops.js";
import { useMailbox } from "./use_mailbox.js";
import { useStage } from "./use_stage.js";
import { useTravel } from "./use_travel.js";
import { type Followed, YourMessage } from "./your_message.js";
import { YoursSoFar } from "./yours_so_far.js";
import "./demo.css";

const QUEUE = "emails";
const DEAD_QUEUE = "emails.dead";

/** The front page of the demo: one sign-up, followed from the browser to the mailbox. */
export function DemoPage({ demo }: { demo: Demo }): ReactNode {
  const mq = useClient();
  const { list, shown, add, show } = useMine();
  const stage = useStage(demo);
  const box = useMailbox(demo);
  const queue = useQueue(QUEUE);
  // The dead-letter queue begins with its first letter, so it is looked up among all.
  const letters = useAllQueues().queues.find((one) => one.name === DEAD_QUEUE);
  const dead = letters === undefined ? 0 : waiting(letters);
  const message = useMessage(shown?.id ?? null, shown === null ? {} : { watch: shown.watch });
  const consumers = useQuery(QUEUE, () => mq.queue(QUEUE).details(), 500);

  const held = useMemo(() => {
    const byName = new Map<string, number>();
    for (const one of consumers.data?.consumers ?? [])
      byName.set(one.consumer, (byName.get(one.consumer) ?? 0) + one.leased);
    return byName;
  }, [consumers.data]);

  const followed: Followed = {
    state: shown === null ? null : (message.state ?? null),
    attempts: message.attempts,
    attemptsMax: message.attemptsMax ?? 0,
    percent: message.progress?.percent ?? null,
    note: message.progress?.note ?? null,
    timeline: message.timeline,
    failure: message.error === undefined ? null : message.error.message,
  };
  const arrived = shown !== null && box.messages.has(shown.id);
  const at = useTravel(shown?.id ?? null, stopOf(followed.state, followed.percent));
  const workers = stage.state?.processes.filter((one) => one.kind === "worker" && one.status === "running").length ?? 0;
  const brokerUp =
    stage.state === null ||
    (stage.state.processes.find((one) => one.kind === "broker")?.status ?? "running") === "running";

  return (
    <>
      <header className="demo-head">
        <h1>Sign up, and follow your message down the road</h1>
        <p className="muted">
          Express answers at once and leaves the mail to a queue. Everything here is real: a broker that syncs each
          message to disk before it says yes, an API, workers and a mail server, each a process of its own on this
          machine.
        </p>
      </header>
      <div className="stage live">
        <div className="stage-left">
          <SignUpForm demo={demo} accepted={add} />
          <YoursSoFar list={list} shown={shown?.id ?? null} show={show} />
        </div>
        <div className="stage-middle">
          <RoadLive
            at={shown === null ? null : at}
            tone={followed.state === null ? "queued" : toneOf(followed.state)}
            mine={shown?.id ?? null}
            queue={QUEUE}
            deliveries={queue.deliveries}
            ratePublished={queue.ratePublished ?? 0}
            rateAcked={queue.rateAcked ?? 0}
            stations={{
              mine: list.length,
              answerMs: shown === null ? null : duration(shown.answerMs),
              waiting: queue.stats === undefined ? 0 : waiting(queue.stats),
              retrying: queue.retrying ?? 0,
              workers,
              held: queue.leased ?? 0,
              letters: box.total,
              dead,
              deadQueue: DEAD_QUEUE,
              brokerUp,
              mailUp: stage.state?.mail.mode !== "down",
              paused: queue.paused ?? false,
            }}
          />
          <YourMessage mine={shown} followed={followed} arrived={arrived} />
        </div>
        <Mailbox demo={demo} box={box} mine={shown?.id ?? null} />
      </div>
      <Bench demo={demo} stage={stage.state} lost={stage.lost} held={held} dead={dead} deadQueue={DEAD_QUEUE} />
      <CodeBehind />
      <Feed queue={null} />
    </>
  );
}
