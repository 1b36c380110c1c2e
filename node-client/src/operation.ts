/** Operations on many messages (docs/protocol.md §6): they take their time, tell how far they are, and can be stopped. */
import { countOf, type Internals } from "./internals.js";
import { randomSession } from "./options.js";
import { fromWire } from "./protocol/case.js";
import type { OperationInfo } from "./protocol/types.js";

const PROGRESS_MS = 500;

export interface OperationProgress {
  /** Messages moved or settled so far. */
  readonly done: number;
  /** What it may come to at most; null if that is not known. */
  readonly total: number | null;
}

export interface OperationOptions {
  /** Aborting stops the operation after the step that it is at; the promise is rejected with the signal's reason when it has stopped. */
  readonly signal?: AbortSignal | undefined;
  /** Called about twice a second, and at the end. Needs the right to peek. */
  readonly onProgress?: ((progress: OperationProgress) => void) | undefined;
}

export interface RedriveOptions extends OperationOptions {
  /** Ids; all if there are none. */
  readonly messages?: readonly string[];
  readonly limit?: number;
}

/** What an operation came to. */
export interface Moved {
  readonly count: number;
  /** Messages that stayed since the queue that they go to has no room; absent where there are none. */
  readonly left?: number;
  /** Why: the code of an error, `queue-full`. */
  readonly reason?: string;
}

/** Carries out one of them, however long it takes. @internal */
export async function operateLong(
  { operate, query }: Internals,
  what: string,
  args: object,
  { signal, onProgress }: OperationOptions,
): Promise<Moved> {
  signal?.throwIfAborted();
  const operation = randomSession();
  const onAbort = (): void => {
    // It may have ended meanwhile: then its own answer says so.
    operate("stop", { operation }).catch(() => {});
  };
  const look = async (): Promise<void> => {
    const { operations } = fromWire<{ operations: OperationInfo[] }>(await query("operations"));
    const mine = operations.find(({ id }) => id === operation);
    if (mine !== undefined && timer !== undefined) onProgress?.({ done: mine.done, total: mine.total });
  };
  let timer = onProgress === undefined ? undefined : setInterval(() => void look().catch(() => {}), PROGRESS_MS);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const answer = await operate(what, { ...args, operation }, { isLong: true });
    if (answer["stopped"] === true) signal?.throwIfAborted();
    const { count } = countOf(answer);
    onProgress?.({ done: count, total: count });
    const { left, reason } = answer;
    return typeof left === "number" && typeof reason === "string" ? { count, left, reason } : { count };
  } finally {
    clearInterval(timer);
    timer = undefined;
    signal?.removeEventListener("abort", onAbort);
  }
}
