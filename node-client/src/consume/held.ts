/** What a client still works on, as `[number, count, sequence]` runs (docs/protocol.md §5.1). */
export type HeldRun = readonly [number: number, count: number, sequence: number];

export function heldRuns(deliveries: Iterable<{ readonly number: number; readonly sequence: number }>): HeldRun[] {
  const sorted = [...deliveries].sort((a, b) => a.number - b.number);
  const runs: [number, number, number][] = [];
  let before: number | undefined;
  for (const { number, sequence } of sorted) {
    if (number === before) continue;
    before = number;
    const run = runs.at(-1);
    if (run !== undefined && number === run[0] + run[1] && sequence === run[2] + run[1]) run[1]++;
    else runs.push([number, 1, sequence]);
  }
  return runs;
}
