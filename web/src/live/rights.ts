import { type ReactNode, useCallback, useState, useSyncExternalStore } from "react";
import { useToasts } from "../ui/toast.js";

/** The rights that a token may have, each on names. */
export type Right = "publish" | "manage" | "redrive";

/**
 * Which rights were found to be missing. The broker does not say beforehand what a token may do, so the first refusal
 * teaches it: from then on every control that needs the same right on the same name says so.
 */
class Refusals {
  readonly #reasons = new Map<string, string>();
  readonly #listeners = new Set<() => void>();

  learn(need: string, reason: string): void {
    this.#reasons.set(need, reason);
    this.#tell();
  }
  reason(need: string): string | null {
    return this.#reasons.get(need) ?? null;
  }
  /** A new connection may bring another token. */
  clear(): void {
    if (this.#reasons.size === 0) return;
    this.#reasons.clear();
    this.#tell();
  }
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

export const refusals = new Refusals();

export interface Told<T> {
  /** What to say when it was done; null for nothing. */
  readonly done: (answer: T) => ReactNode;
  /** What to say first when it was not; without it the failure is only kept, for a form to show. */
  readonly failed?: string;
}

export interface Act {
  readonly busy: boolean;
  /** Why the right is missing, once that was learnt. */
  readonly refused: string | null;
  /** Why the last try failed. */
  readonly failure: string | null;
  /** Does it and says so. @returns whether it was done. */
  run<T>(what: () => Promise<T>, told: Told<T>): Promise<boolean>;
  /** Forgets the last failure: another dialog was opened. */
  reset(): void;
}

/** Something that changes the broker: one at a time, its outcome announced, a missing right remembered. */
export function useAct(right: Right, name: string): Act {
  const { say, fail } = useToasts();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const need = `${right} ${name}`;
  const refused = useSyncExternalStore(refusals.subscribe, () => refusals.reason(need));
  const reset = useCallback(() => setFailure(null), []);
  const run = useCallback(
    async <T>(what: () => Promise<T>, { done, failed }: Told<T>): Promise<boolean> => {
      setBusy(true);
      setFailure(null);
      try {
        const said = done(await what());
        if (said !== null) say(said);
        return true;
      } catch (error) {
        const { code, message } = error as { code?: string; message: string };
        if (code === "not-allowed") refusals.learn(need, message);
        setFailure(message);
        if (failed !== undefined) fail(failed, error);
        return false;
      } finally {
        setBusy(false);
      }
    },
    [need, say, fail],
  );
  return { busy, refused, failure, run, reset };
}
