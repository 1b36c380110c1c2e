/** Runs of numbers, `[first, last]` inclusive, as settles and replies name them. */
export type Range = readonly [first: number, last: number];

/** Gathers numbers, mostly in order, and gives them back as sorted runs without overlap. */
export class Ranges {
  #runs: [number, number][] = [];
  #sorted = true;

  get empty(): boolean {
    return this.#runs.length === 0;
  }

  add(number: number): void {
    const last = this.#runs.at(-1);
    if (last !== undefined && number === last[1] + 1) {
      last[1] = number;
      return;
    }
    if (last !== undefined && number <= last[1]) this.#sorted = false;
    this.#runs.push([number, number]);
  }

  take(): Range[] {
    const runs = this.#runs;
    this.#runs = [];
    if (this.#sorted) return runs;
    this.#sorted = true;
    runs.sort((a, b) => a[0] - b[0]);
    const merged: [number, number][] = [];
    for (const run of runs) {
      const last = merged.at(-1);
      if (last !== undefined && run[0] <= last[1] + 1) last[1] = Math.max(last[1], run[1]);
      else merged.push(run);
    }
    return merged;
  }
}

export function toRanges(numbers: Iterable<number>): Range[] {
  const ranges = new Ranges();
  for (const number of numbers) ranges.add(number);
  return ranges.take();
}

/** Reads runs that came from a server; what is not a run is left out. */
export function parseRanges(value: unknown): Range[] {
  if (!Array.isArray(value)) return [];
  return (value as readonly unknown[]).filter(
    (run): run is Range =>
      Array.isArray(run) && Number.isSafeInteger(run[0]) && Number.isSafeInteger(run[1]) && run[0] <= run[1],
  );
}

export const within = (ranges: readonly Range[], number: number): boolean =>
  ranges.some(([first, last]) => number >= first && number <= last);
