import { type ReactNode, useSyncExternalStore } from "react";
import { HISTORY_SLOTS, HISTORY_SPAN, type History, rates } from "../../live/history.js";
import { RateChart } from "../../ui/chart.js";

/** Adds the histories of several queues point by point, aligned at the newest. */
export function addUp(histories: readonly (readonly number[])[]): readonly number[] {
  const length = Math.max(0, ...histories.map((one) => one.length));
  return Array.from({ length }, (_, i) => histories.reduce((sum, one) => sum + (one[one.length - length + i] ?? 0), 0));
}

let tick = 0;
rates.subscribe(() => tick++);

export function TotalRates({ names }: { names: readonly string[] }): ReactNode {
  useSyncExternalStore(rates.subscribe, () => tick);
  const all: readonly History[] = names.map((name) => rates.of(name));
  return (
    <RateChart
      slots={HISTORY_SLOTS}
      span={HISTORY_SPAN}
      series={[
        { name: "Published", tone: "queued", values: addUp(all.map((one) => one.published)) },
        { name: "Done", tone: "done", values: addUp(all.map((one) => one.acked)) },
      ]}
    />
  );
}
