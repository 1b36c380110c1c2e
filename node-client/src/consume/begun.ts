/**
 * Which deliveries have begun, as it is told to the broker before their handlers run (docs/protocol.md §5, `begun`).
 *
 * Whatever a handler does to its process, its number is on the socket. A frame for each handler would cost quick ones more than they
 * take themselves: so a number covers as many as began within {@link PACE_MS} lately, one where handlers take longer than that. It
 * does so within the tick: then the number is set back to what has really begun. A delivery that failed before is never covered with
 * others, so that whichever of them ended the process is known after the second time.
 */

/** How much work of handlers may be told ahead. */
const PACE_MS = 4;
const AHEAD_MAX = 4_096;

interface Numbered {
  readonly number: number;
  readonly attempt: number;
}

/** What a consumer knows when it begins a delivery. */
export interface Next {
  /** Nothing else that has begun is unsettled. */
  readonly isAlone: boolean;
  /** What begins after it, from index `at` on. */
  readonly following: readonly Numbered[];
  readonly at: number;
}

export class Begun {
  /** The highest number whose handler has begun. */
  last = 0;
  #told = 0;
  #ahead = 1;
  #toldAt = 0;

  /** What the broker knows: at least what has begun, and what is covered in this tick. */
  get claimed(): number {
    return Math.max(this.#told, this.last);
  }

  /** Whether the broker knows another number than this one. */
  isNews(number: number): boolean {
    return number !== this.#told;
  }

  /**
   * A handler is about to run.
   *
   * @param isFirst - the broker knows that all before it are settled.
   * @returns the number to be told before it runs; undefined if there is no need.
   */
  begin(delivery: Numbered, { following, at }: Next, isFirst: boolean): number | undefined {
    const { number } = delivery;
    if (number > this.last) this.last = number;
    const isRetried = delivery.attempt > 1;
    if (isFirst || (isRetried ? number === this.#told : number <= this.#told)) return undefined;
    this.#keepPace(performance.now());
    if (isRetried) return number;
    // What comes later in this tick is covered as well, though it is not here yet.
    for (let index = at; index < at + this.#ahead - 1; index++) {
      const next = following[index];
      if (next === undefined) break;
      if (next.attempt > 1) return next.number - 1;
    }
    return number + this.#ahead - 1;
  }

  /** The broker is told this number; false: it knows. */
  tell(number: number): boolean {
    if (number === this.#told) return false;
    this.#told = number;
    return true;
  }

  /** Another subscription, whose numbers begin anew. */
  clear(): void {
    this.last = this.#told = 0;
  }

  #keepPace(now: number): void {
    const passed = now - this.#toldAt;
    this.#toldAt = now;
    if (passed < PACE_MS / 2) this.#ahead = Math.min(2 * this.#ahead, AHEAD_MAX);
    else if (passed > PACE_MS) this.#ahead = Math.max(1, Math.floor((this.#ahead * PACE_MS) / passed));
  }
}
