import { type ReactNode, useState } from "react";
import { Link } from "wouter";
import type { Demo, StageState } from "../../api/demo.js";
import { queuePath } from "../../format/address.js";
import { count, counted } from "../../format/number.js";
import { useClient } from "../../live/client.js";
import { Button } from "../../ui/button.js";
import { Tag } from "../../ui/state.js";
import { useToasts } from "../../ui/toast.js";
import { Workers } from "./workers.js";

const RUSH = 200;

interface Props {
  readonly demo: Demo;
  readonly stage: StageState | null;
  readonly lost: boolean;
  readonly held: ReadonlyMap<string, number>;
  readonly dead: number;
  readonly deadQueue: string;
}

/** One lever: what it does to the system and what that will show. */
export function Lever(props: {
  title: string;
  now?: ReactNode;
  shows: string;
  children: ReactNode;
  className?: string;
}): ReactNode {
  return (
    <section className={`lever ${props.className ?? ""}`} aria-label={props.title}>
      <h3>
        {props.title} {props.now}
      </h3>
      <p className="small muted">{props.shows}</p>
      <div className="lever-actions">{props.children}</div>
    </section>
  );
}

/** Runs one action at a time and says when it fails. */
export function useAction(): { readonly busy: boolean; run(what: string, act: () => Promise<unknown>): void } {
  const [busy, setBusy] = useState(false);
  const { fail } = useToasts();
  const run = (what: string, act: () => Promise<unknown>): void => {
    setBusy(true);
    act()
      .catch((error: unknown) => fail(what, error))
      .finally(() => setBusy(false));
  };
  return { busy, run };
}

/** Everything a visitor may break, each with what breaking it will show. */
export function Bench({ demo, stage, lost, held, dead, deadQueue }: Props): ReactNode {
  const mq = useClient();
  const { say } = useToasts();
  const mail = useAction();
  const rush = useAction();
  const broker = useAction();
  const letters = useAction();
  const mode = stage?.mail.mode ?? "up";
  const brokerProcess = stage?.processes.find((one) => one.kind === "broker");
  const off = stage === null || lost;
  const where = stage === null || stage.engine === "embedded" ? "on the disk" : `with ${stage.engine}`;
  return (
    <section className="bench" aria-label="Levers">
      <header className="bench-head">
        <h2>Now break something</h2>
        {lost && (
          <span className="dead small">The demo's processes are not reachable. Is `make demo` still running?</span>
        )}
      </header>
      <div className="levers">
        <Workers demo={demo} stage={stage} off={off} held={held} />
        <Lever
          title="Mail server"
          now={
            mode === "up" ? (
              <Tag tone="done">up</Tag>
            ) : mode === "slow" ? (
              <Tag tone="retrying">slow</Tag>
            ) : (
              <Tag tone="dead">answers 421</Tag>
            )
          }
          shows="Broken, it refuses every letter. Each is tried again, a little later every time; the fifth failure sets it aside."
        >
          {mode === "down" ? (
            <Button
              busy={mail.busy}
              disabled={off}
              onClick={() => mail.run("The mail server was not mended.", () => demo.setMail("up"))}
            >
              Mend the mail server
            </Button>
          ) : (
            <Button
              busy={mail.busy}
              disabled={off}
              onClick={() => mail.run("The mail server was not broken.", () => demo.setMail("down"))}
            >
              Break the mail server
            </Button>
          )}
          <Button
            kind="quiet"
            busy={mail.busy}
            disabled={off}
            onClick={() =>
              mail.run("The mail server did not change.", () => demo.setMail(mode === "slow" ? "up" : "slow"))
            }
          >
            {mode === "slow" ? "Make it quick" : "Make it slow"}
          </Button>
        </Lever>
        <Lever
          title="Rush"
          shows="Express accepts them all in one go. The queue grows, nobody waits for the mail, and the workers keep their pace."
        >
          <Button
            busy={rush.busy}
            onClick={() =>
              rush.run("Nobody was signed up.", async () => {
                const started = performance.now();
                const answer = await demo.signUpMany(RUSH);
                say(`${counted(answer.count, "sign-up")} accepted in ${Math.round(performance.now() - started)} ms.`);
              })
            }
          >
            Sign up {RUSH} people
          </Button>
        </Lever>
        <Lever
          title="Broker"
          now={
            brokerProcess === undefined ? null : brokerProcess.status === "running" ? (
              <Tag tone="done">up</Tag>
            ) : (
              <Tag tone="retrying">{brokerProcess.status}</Tag>
            )
          }
          shows={`kill -9, then start again. What was confirmed is ${where}: browsers, Express and workers reconnect and go on.`}
        >
          <Button
            busy={broker.busy}
            disabled={off || brokerProcess?.status !== "running"}
            onClick={() =>
              broker.run("The broker was not restarted.", async () => {
                const started = performance.now();
                await demo.restartBroker();
                say(
                  `The broker was killed and served again ${((performance.now() - started) / 1_000).toFixed(1)} s later.`,
                );
              })
            }
          >
            Restart the broker
          </Button>
        </Lever>
        <Lever
          title="Dead letters"
          now={dead > 0 ? <Tag tone="dead">{count(dead)} waiting</Tag> : <Tag tone="done">none</Tag>}
          shows="What failed five times is kept with its reason. Mend the mail server, then send them all back."
        >
          <Button
            busy={letters.busy}
            disabled={dead === 0}
            onClick={() =>
              letters.run("Nothing was redriven.", async () => {
                const { count: sent } = await mq.queue(deadQueue).redrive();
                say(`${counted(sent, "message")} sent back to the queue.`);
              })
            }
          >
            Redrive all
          </Button>
          <Link className="button quiet" href={queuePath(deadQueue)}>
            Look inside
          </Link>
        </Lever>
      </div>
    </section>
  );
}
