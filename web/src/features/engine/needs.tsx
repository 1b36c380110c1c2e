import type { ReactNode } from "react";
import { Link } from "wouter";
import { useCannot } from "../../live/engine.js";
import { Empty, PageHead, Panel } from "../../ui/views.js";

/** A page for engines that have the capability; on others it says why there is nothing. */
export function Needs(props: { capability: string; title: string; children: ReactNode }): ReactNode {
  const reason = useCannot(props.capability);
  if (reason === null) return props.children;
  return (
    <>
      <PageHead title={props.title} />
      <Panel title="Not on this engine" flush>
        <Cannot reason={reason} />
      </Panel>
    </>
  );
}

/** Why the engine cannot do what would be here. */
export function Cannot({ reason, children }: { reason: string; children?: ReactNode }): ReactNode {
  return (
    <Empty title={reason}>
      {children} What each engine can do is on the <Link href="/engine">page of the engine</Link>.
    </Empty>
  );
}
