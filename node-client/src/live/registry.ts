import type { Link } from "../link.js";
import { LiveMessage } from "./message.js";
import { LiveQueue } from "./queue.js";

const SWEEP_AT = 500;

/** The live sources of a client: one for each thing that is watched, however many watch it. */
export class LiveRegistry {
  readonly #link: Link;
  readonly #queues = new Map<string | null, WeakRef<LiveQueue>>();
  readonly #messages = new Map<string, WeakRef<LiveMessage>>();

  constructor(link: Link) {
    this.#link = link;
  }

  /** A queue, or all of them for `null`. */
  queue(name: string | null): LiveQueue {
    return take(this.#queues, name, (forget) => new LiveQueue(this.#link, name, forget));
  }

  /** A queue from a position on; not shared, because the past of each is another. */
  queueFrom(name: string | null, from: number): LiveQueue {
    return new LiveQueue(this.#link, name, () => {}, from);
  }

  message(id: string, capability: string | undefined): LiveMessage {
    return take(
      this.#messages,
      `${id} ${capability ?? ""}`,
      (forget) => new LiveMessage(this.#link, id, capability, forget),
    );
  }
}

/** Sources that run are held by the connection; those that were only rendered, or have stopped, may go. */
function take<K, V extends object>(map: Map<K, WeakRef<V>>, key: K, create: (forget: () => void) => V): V {
  const found = map.get(key)?.deref();
  if (found !== undefined) return found;
  if (map.size >= SWEEP_AT) for (const [old, reference] of map) if (reference.deref() === undefined) map.delete(old);
  const reference = new WeakRef(
    create(() => {
      // A new one may have taken its place.
      if (map.get(key) === reference) map.delete(key);
    }),
  );
  map.set(key, reference);
  return reference.deref() as V;
}
