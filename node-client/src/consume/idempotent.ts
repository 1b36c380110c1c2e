/**
 * A message is handled at least once: a lost lease or connection may bring it again after its handler had finished.
 * Remembering what was done, where the work itself is stored, makes the second time harmless.
 */
import type { Handler } from "./consumer.js";
import { Done, type Follower, type Message } from "./message.js";

/** What is remembered of a finished handler: its result, and what is to be published with the ack. JSON. */
export interface Outcome {
  readonly result?: unknown;
  readonly publish?: readonly Follower[];
}

/** Remembers outcomes: over Redis or a table, for instance. Entries older than a message can come back may be dropped. */
export interface IdempotencyStore {
  get(key: string): Promise<Outcome | undefined> | Outcome | undefined;
  set(key: string, outcome: Outcome): Promise<void> | void;
}

/** A store in memory, for one process: it keeps the last `max` outcomes. */
export function memoryStore({ max = 10_000 }: { readonly max?: number } = {}): IdempotencyStore {
  const outcomes = new Map<string, Outcome>();
  return {
    get: (key) => outcomes.get(key),
    set: (key, outcome) => {
      outcomes.set(key, outcome);
      const oldest = outcomes.size > max ? outcomes.keys().next() : undefined;
      if (oldest?.done === false) outcomes.delete(oldest.value);
    },
  };
}

/**
 * Runs `handler` once for each message: if it was finished before, its outcome is given again.
 *
 * @param key - what makes two messages the same. @defaultValue the message's id; use a header for a key of your own
 */
export function idempotent<T>(
  store: IdempotencyStore,
  handler: Handler<T>,
  key: (message: Message<T>) => string = ({ id }) => id,
): Handler<T> {
  return async (message, context) => {
    const name = key(message);
    const before = await store.get(name);
    if (before !== undefined)
      return before.publish === undefined ? before.result : new Done(before.result, before.publish);
    const value = await handler(message, context);
    const outcome = value instanceof Done ? { result: value.result, publish: value.publish } : { result: value };
    await store.set(name, outcome);
    return value;
  };
}
