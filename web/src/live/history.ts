import { useSyncExternalStore } from "react";

/** A point a second, two minutes of them. */
export const HISTORY_SLOTS = 120;
export const HISTORY_SPAN = "2 min";
const EVERY_MS = 1_000;

export interface History {
  readonly published: readonly number[];
  readonly acked: readonly number[];
}

/** A queue or a stream, with its rates. */
export interface Rated {
  readonly name: string;
  readonly ratePublished: number;
  readonly rateAcked: number;
}

const NONE: History = Object.freeze({ published: [], acked: [] });

/**
 * Remembers the rates of every queue and stream for two minutes, so that a chart has a past when its page is opened.
 * It is fed with whatever state is newest and samples it once a second; memory is bounded by queues × slots.
 */
export class RateHistory {
  #latest: readonly Rated[] = [];
  #queues = new Map<string, History>();
  readonly #listeners = new Set<() => void>();
  #timer: ReturnType<typeof setInterval> | undefined;

  feed(queues: readonly Rated[]): void {
    this.#latest = queues;
  }

  sample(): void {
    const next = new Map<string, History>();
    for (const queue of this.#latest) {
      const was = this.#queues.get(queue.name) ?? NONE;
      next.set(queue.name, {
        published: [...was.published, queue.ratePublished].slice(-HISTORY_SLOTS),
        acked: [...was.acked, queue.rateAcked].slice(-HISTORY_SLOTS),
      });
    }
    this.#queues = next;
    for (const listener of this.#listeners) listener();
  }

  of(name: string): History {
    return this.#queues.get(name) ?? NONE;
  }

  start(): () => void {
    this.#timer ??= setInterval(() => this.sample(), EVERY_MS);
    return () => {
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
}

export const rates = new RateHistory();

export const useRates = (name: string): History => useSyncExternalStore(rates.subscribe, () => rates.of(name));
