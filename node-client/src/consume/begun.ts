/**
 * Which deliveries have begun, as it is told to the broker before their handlers run (docs/protocol.md §5, `begun`).
 *
 * Whatever a handler does to its process, its number is on the socket. A frame for each handler would cost quick ones more than they
 * take themselves: so a number covers as many as began within {@link PACE_MS} lately, one where handlers take longer than that. It
 * does so within the tick: then the number is set back to what has really begun. A delivery that failed before is never covered with
 * others, so that whichever of them ended the process is known after the second time.
 */

/** How much work of handlers may be told ahead. */
const PACE_MS = 8;
const AHEAD_MAX = 8_192;

export class Begun {
  /** The highest number whose handler has begun. */
  last = 0;
  #covered = 0;
  #told = 0;
  #ahead = 1;
  /** When the pace was last looked at, and the number that began then. */
  #pacedAt = 0;
  #paced = 0;
  /** Deliveries that failed before and have not begun. */
  #retried: number[] = [];

  /** What has begun, and what is covered in this tick. */
  get claimed(): number {
    return Math.max(this.#covered, this.last);
  }

  /** A delivery came that failed before: it begins alone. */
  expectRetry(number: number): void {
    this.#retried.push(number);
    if (number <= this.#covered) this.#covered = number - 1;
  }

  /**
   * A handler is about to run.
   *
   * @param isFirst - the broker knows that all before it are settled.
   * @returns the number to be told before it runs; undefined if there is no need.
   */
  begin(number: number, isFirst: boolean): number | undefined {
    if (number > this.last) this.last = number;
    return number <= this.#covered ? undefined : this.#cover(number, isFirst);
  }

  /** Whether the broker knows another number than this one. */
  isNews(number: number): boolean {
    return number !== this.#told;
  }

  /** The broker is told this number; false: it knows. */
  tell(number: number): boolean {
    this.#covered = number;
    if (number === this.#told) return false;
    this.#told = number;
    return true;
  }

  /** Another subscription, whose numbers begin anew. */
  clear(): void {
    this.last = this.#covered = this.#told = this.#paced = 0;
    this.#retried = [];
  }

  #cover(number: number, isFirst: boolean): number | undefined {
    const retried = this.#retried;
    while (retried[0] !== undefined && retried[0] < number) retried.shift();
    const isRetry = retried[0] === number;
    if (isRetry) retried.shift();
    if (isFirst) return undefined;
    this.#keepPace(number, performance.now());
    this.#covered = isRetry ? number : Math.min(number + this.#ahead, retried[0] ?? Number.POSITIVE_INFINITY) - 1;
    return this.#covered;
  }

  #keepPace(number: number, now: number): void {
    const pace = ((number - this.#paced) * PACE_MS) / (now - this.#pacedAt);
    this.#paced = number;
    this.#pacedAt = now;
    this.#ahead = Math.max(1, Math.floor(Math.min(2 * this.#ahead, pace, AHEAD_MAX)));
  }
}
