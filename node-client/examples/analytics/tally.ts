/**
 * Counts that may be added twice. A click can come again, in other company, after a member died between publishing what
 * it had counted and acking it. So a part says *which* clicks it counted, by offset, and a count is the size of a set:
 * parts may overlap, repeat and come in any order.
 */
import type { Click } from "./streams.js";

export const WINDOW_MS = 10_000;

/** What one batch adds to a page's count in a window. */
export interface Part {
  /** When the window begins, in milliseconds since the epoch. */
  readonly window: number;
  readonly page: string;
  readonly offsets: readonly number[];
}

export interface Count {
  readonly window: number;
  readonly page: string;
  readonly clicks: number;
}

export function partsOf(clicks: Iterable<{ readonly offset: number; readonly body: Click }>): Part[] {
  const parts = new Map<string, Part & { readonly offsets: number[] }>();
  for (const { offset, body } of clicks) {
    const { page } = body;
    const window = body.at - (body.at % WINDOW_MS);
    const part = parts.get(`${window} ${page}`);
    if (part === undefined) parts.set(`${window} ${page}`, { window, page, offsets: [offset] });
    else part.offsets.push(offset);
  }
  return [...parts.values()];
}

export class Tally {
  readonly #counted = new Map<string, { readonly part: Part; readonly offsets: Set<number> }>();

  add(part: Part): void {
    const name = `${part.window} ${part.page}`;
    const counted = this.#counted.get(name) ?? { part, offsets: new Set() };
    for (const offset of part.offsets) counted.offsets.add(offset);
    this.#counted.set(name, counted);
  }

  /** By window, then by page. */
  counts(): Count[] {
    return Array.from(this.#counted.entries())
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([, { part, offsets }]) => ({ window: part.window, page: part.page, clicks: offsets.size }));
  }
}
