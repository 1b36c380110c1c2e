/** A value that many read: snapshots are immutable and the same object until something changed. */
export interface Readable<S> {
  get(): S;
  /** @returns what ends the subscription */
  subscribe(listener: () => void): () => void;
}

export type LiveStatus = "idle" | "loading" | "live" | "stale" | "error";

export class Store<S extends object> {
  #snapshot: S;
  readonly #listeners = new Set<() => void>();

  constructor(initial: S) {
    this.#snapshot = Object.freeze(initial);
  }

  get(): S {
    return this.#snapshot;
  }

  set(change: Partial<S>): void {
    this.#snapshot = Object.freeze({ ...this.#snapshot, ...change });
    for (const listener of [...this.#listeners]) listener();
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** How long nobody may look before the watch ends: React's StrictMode and page changes let go and come back at once. */
export const LINGER_MS = 1_000;

/** Counts who uses something; starts it for the first and stops it a while after the last. */
export class Shared {
  #users = 0;
  #isRunning = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #start: () => void;
  readonly #stop: () => void;

  constructor(start: () => void, stop: () => void) {
    this.#start = start;
    this.#stop = stop;
  }

  retain(): () => void {
    this.#users++;
    clearTimeout(this.#timer);
    if (!this.#isRunning) {
      this.#isRunning = true;
      this.#start();
    }
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      if (--this.#users > 0) return;
      this.#timer = setTimeout(() => {
        this.#isRunning = false;
        this.#stop();
      }, LINGER_MS);
    };
  }
}
