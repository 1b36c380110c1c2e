import { type ReactNode, useState } from "react";
import type { Demo, StageProcess, StageState } from "../../api/demo.js";
import { counted } from "../../format/number.js";
import { Button } from "../../ui/button.js";
import { useToasts } from "../../ui/toast.js";
import { useAction } from "./bench.js";

/** How many messages the demo's workers handle at once: the slots that are drawn. */
const SLOTS = [1, 2, 3, 4, 5];

interface Props {
  readonly demo: Demo;
  readonly stage: StageState | null;
  readonly off: boolean;
  readonly held: ReadonlyMap<string, number>;
}

/** The demo's worker processes, what each holds, and the buttons that end them. */
export function Workers({ demo, stage, off, held }: Props): ReactNode {
  const add = useAction();
  const workers =
    stage?.processes.filter((one) => one.kind === "worker").sort((a, b) => (a.name < b.name ? -1 : 1)) ?? [];
  return (
    <section className="lever lever-workers" aria-label="Workers">
      <h3>Workers</h3>
      <p className="small muted">
        Each is a Node process. Kill one in the middle of a letter: the broker hands what it held to another. Add one:
        the queue drains faster.
      </p>
      <ul className="workers">
        {workers.map((worker) => (
          <Worker key={worker.name} demo={demo} worker={worker} off={off} held={held.get(worker.name) ?? 0} />
        ))}
        {workers.length === 0 && (
          <li className="muted small workers-none">
            {stage === null ? "Looking …" : "No worker is running: messages wait in the queue."}
          </li>
        )}
      </ul>
      <div className="lever-actions">
        <Button
          busy={add.busy}
          disabled={off || workers.length >= (stage?.workers_max ?? 1)}
          onClick={() => add.run("No worker was added.", () => demo.addWorker())}
        >
          Add a worker
        </Button>
      </div>
    </section>
  );
}

function Worker({
  demo,
  worker,
  off,
  held,
}: {
  demo: Demo;
  worker: StageProcess;
  off: boolean;
  held: number;
}): ReactNode {
  const [busy, setBusy] = useState(false);
  const { say, fail } = useToasts();
  const kill = (): void => {
    setBusy(true);
    demo.killWorker(worker.name).then(
      () => say(`${worker.name} was killed${held > 0 ? ` while it held ${counted(held, "message")}` : ""}.`),
      (error: unknown) => {
        setBusy(false);
        fail(`${worker.name} was not killed.`, error);
      },
    );
  };
  return (
    <li className="worker">
      <span className="mono">{worker.name}</span>
      <span className="slots" role="img" aria-label={`holds ${counted(held, "message")}`}>
        {SLOTS.map((slot) => (
          <span key={slot} className={slot <= held ? "slot full" : "slot"} />
        ))}
      </span>
      <span className="small muted worker-status">
        {worker.status === "running"
          ? held > SLOTS.length
            ? `+${held - SLOTS.length} next`
            : `pid ${worker.pid ?? ""}`
          : worker.status}
      </span>
      <button
        type="button"
        className="button danger small"
        aria-label={`Kill ${worker.name}`}
        disabled={off || busy || worker.status !== "running"}
        onClick={kill}
      >
        Kill
      </button>
    </li>
  );
}
