import { useEffect, useState } from "react";
import type { Demo, StageState } from "../../api/demo.js";

export interface StageView {
  readonly state: StageState | null;
  /** The stage does not answer: what is shown is the last that it said. */
  readonly lost: boolean;
}

/** The demo's processes, live. */
export function useStage(demo: Demo): StageView {
  const [view, setView] = useState<StageView>({ state: null, lost: false });
  useEffect(() => {
    const source = new EventSource(`${demo.stage}/events`);
    source.addEventListener("state", (event) => {
      setView({ state: JSON.parse(event.data as string) as StageState, lost: false });
    });
    source.addEventListener("error", () => setView((was) => ({ ...was, lost: true })));
    return () => source.close();
  }, [demo]);
  return view;
}
