import type { Link } from "../link.js";
import type { ReadFrom } from "../protocol/types.js";
import type { StandardSchema } from "../schema/standard.js";
import { type LiveGroup, type LiveStreamStats, liveGroup, liveStreamStats } from "./group.js";
import { type LiveMessage, liveMessage } from "./message.js";
import { LiveQueue } from "./queue.js";
import { LiveStream } from "./stream.js";

const SWEEP_AT = 500;

/** The live sources of a client: one for each thing that is watched, however many watch it. */
export class LiveRegistry {
  readonly #link: Link;
  readonly #queues = new Map<string | null, WeakRef<LiveQueue>>();
  readonly #messages = new Map<string, WeakRef<LiveMessage>>();
  readonly #streams = new Map<string, WeakRef<LiveStream>>();
  readonly #schemas = new WeakMap<StandardSchema<unknown>, number>();
  #lastSchema = 0;
  readonly #groups = new Map<string, WeakRef<LiveGroup>>();
  readonly #stats = new Map<string, WeakRef<LiveStreamStats>>();

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

  /** The last `keep` messages of a stream from a place on, of those that the schema takes. */
  stream(name: string, from: ReadFrom, keep: number, schema?: StandardSchema<unknown>): LiveStream {
    return take(
      this.#streams,
      `${name} ${keep} ${JSON.stringify(from)} ${this.#schemaNumber(schema)}`,
      (forget) => new LiveStream(this.#link, name, from, keep, schema, forget),
    );
  }

  /** Who has the same schema shares a source. */
  #schemaNumber(schema: StandardSchema<unknown> | undefined): number {
    if (schema === undefined) return 0;
    const number = this.#schemas.get(schema) ?? ++this.#lastSchema;
    this.#schemas.set(schema, number);
    return number;
  }

  group(stream: string, name: string): LiveGroup {
    return take(this.#groups, `${stream}/${name}`, (forget) => liveGroup(this.#link, stream, name, forget));
  }

  streamStats(name: string): LiveStreamStats {
    return take(this.#stats, name, (forget) => liveStreamStats(this.#link, name, forget));
  }

  message(id: string, capability: string | undefined): LiveMessage {
    return take(this.#messages, `${id} ${capability ?? ""}`, (forget) =>
      liveMessage(this.#link, id, capability, forget),
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
