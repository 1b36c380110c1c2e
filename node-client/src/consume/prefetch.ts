/**
 * How many messages to hold: enough that quick handlers never wait for the network, few where each takes long, because
 * what is held here is missing elsewhere.
 */
const QUICK_MS = 200;
const SLOW_MS = 2_000;
const GROWN_MAX = 8_192;

export class Prefetch {
  value: number;
  readonly #min: number;
  readonly #fixed: boolean;
  #settled = 0;
  #since: number;

  constructor(concurrency: number, fixed: number | undefined, now: number) {
    this.value = fixed ?? Math.max(2, 2 * concurrency);
    this.#min = this.value;
    this.#fixed = fixed !== undefined;
    this.#since = now;
  }

  /** Notes that `count` messages were settled; true if the value has changed. */
  settled(count: number, now: number, max: number): boolean {
    if (this.#fixed) return false;
    this.#settled += count;
    const elapsed = now - this.#since;
    if (this.#settled < this.value && elapsed < SLOW_MS) return false;
    const quick = this.#settled >= this.value && elapsed < QUICK_MS;
    const slow = this.#settled < this.value / 4;
    const before = this.value;
    if (quick) this.value = Math.min(this.value * 2, GROWN_MAX, max);
    else if (slow) this.value = Math.max(this.#min, this.value >> 1);
    this.#settled = 0;
    this.#since = now;
    return this.value !== before;
  }
}
