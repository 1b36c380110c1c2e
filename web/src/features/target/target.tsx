import { type ReactNode, useState } from "react";
import { useCannot } from "../../live/engine.js";
import { useAllQueues } from "../../live/queues.js";
import { useAllStreams } from "../../live/streams.js";
import { SelectField } from "../../ui/select.js";
import { Suggest } from "../../ui/suggest.js";

export type TargetKind = "queue" | "stream" | "topic";

export interface Target<K extends TargetKind = TargetKind> {
  readonly kind: K;
  /** Without the spaces around it; empty while nothing is typed. */
  readonly name: string;
}

type Fields<K extends TargetKind> = K extends TargetKind ? { readonly [P in K]: string } : never;

/** The target as requests name it: `{ queue: "emails" }`. */
export function targetFields<K extends TargetKind>({ kind, name }: Target<K>): Fields<K> {
  return { [kind]: name } as Fields<K>; // a computed key loses which one it is
}

interface Props<K extends TargetKind> {
  /** What is done to it: "Publishes to a". */
  readonly label: string;
  readonly kinds: readonly K[];
  readonly placeholder: string;
  readonly target: Target<K>;
  readonly set: (target: Target<K>) => void;
}

/** Chooses a queue, a stream or a topic; names that exist are offered. */
export function TargetFields<K extends TargetKind>({ label, kinds, placeholder, target, set }: Props<K>): ReactNode {
  const { queues } = useAllQueues();
  const { streams } = useAllStreams();
  const cannot = { queue: null, stream: useCannot("streams"), topic: useCannot("topics") };
  const [typed, setTyped] = useState(target.name);
  const names = { queue: queues.map((one) => one.name), stream: streams.map((one) => one.name), topic: [] };
  return (
    <div className="field-row">
      <SelectField
        label={label}
        options={kinds.map((kind) => [kind, kind])}
        off={Object.fromEntries(kinds.map((kind) => [kind, cannot[kind]]))}
        value={target.kind}
        onChange={(event) => {
          const kind = kinds.find((one) => one === event.target.value);
          if (kind === undefined) return;
          // A name of one kind is seldom one of another.
          setTyped("");
          set({ kind, name: "" });
        }}
      />
      <Suggest
        label="Target"
        value={typed}
        set={(text) => {
          setTyped(text);
          set({ ...target, name: text.trim() });
        }}
        names={names[target.kind]}
        placeholder={placeholder}
      />
    </div>
  );
}
