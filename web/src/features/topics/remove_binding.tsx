import type { BindingTarget } from "postroad";
import type { ReactNode } from "react";
import { useClient } from "../../live/client.js";
import { useAct } from "../../live/rights.js";
import type { Binding } from "../../live/types.js";
import { Confirm } from "../../ui/confirm.js";
import { Filter } from "./bindings.js";
import { targetOf } from "./route.js";

interface Props {
  readonly binding: Binding | null;
  readonly close: () => void;
  readonly done: () => void;
}

/** Takes a binding away, after a question that names pattern and target. */
export function RemoveBinding({ binding, close, done }: Props): ReactNode {
  const mq = useClient();
  const target = binding === null ? { kind: "queue" as const, name: "" } : targetOf(binding);
  const act = useAct("manage", `${binding?.topic ?? ""} ${target.name}`);
  const leave = (): void => {
    act.reset();
    close();
  };
  const remove = (): void => {
    if (binding === null) return;
    const headers = binding.headers === null || binding.headers === undefined ? {} : { headers: binding.headers };
    const from: BindingTarget = {
      ...(target.kind === "queue" ? { queue: target.name } : { stream: target.name }),
      ...headers,
    };
    void act
      .run(() => mq.unbind(binding.topic, from), {
        done: ({ changed }) =>
          changed ? `${binding.topic} does not copy to ${target.name} any more.` : "It was gone already.",
      })
      .then((ok) => {
        if (!ok) return;
        done();
        leave();
      });
  };
  return (
    <Confirm
      title="Remove the binding?"
      open={binding !== null}
      close={leave}
      keep="Keep it"
      label={`Remove ${binding?.topic ?? ""} to ${target.name}`}
      act={remove}
      busy={act.busy}
      failure={act.failure}
    >
      What is published to <code>{binding?.topic}</code>
      {binding?.headers ? (
        <>
          {" "}
          with <Filter headers={binding.headers} />
        </>
      ) : null}{" "}
      will not be copied to the {target.kind} <code>{target.name}</code> any more by this binding. What is there already
      stays.
    </Confirm>
  );
}
