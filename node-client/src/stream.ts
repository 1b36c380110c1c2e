import { TOMBSTONE } from "./consume/parse.js";
import { Group } from "./group.js";
import type { Internals } from "./internals.js";
import { checkName } from "./names.js";
import { type Moved, type OperationOptions, operateLong } from "./operation.js";
import { fromWire, toWire } from "./protocol/case.js";
import type { StreamSettings, StreamStats } from "./protocol/types.js";
import type { PublishOptions } from "./publish/attributes.js";
import { Destination } from "./publish/destination.js";
import type { Receipt } from "./publish/receipt.js";
import { streamTarget, type Target } from "./publish/target.js";
import { Reader, type ReadOptions } from "./read/reader.js";
import { type Named, nameOf, type StreamDefinition } from "./schema/define.js";

/** A stream takes neither delay nor priority. */
export type StreamPublishOptions = Omit<PublishOptions, "delayMs" | "deliverAt" | "priority">;

export interface StreamOptions {
  /** Whether publishing and consuming declare the stream and the group with defaults. @defaultValue `true` */
  readonly declare?: boolean;
}

export interface ReplayOptions extends OperationOptions {
  /** Offsets, both included. */
  readonly first: number;
  readonly last: number;
  /** Where the messages are copied to, by reference. */
  readonly queue: Named;
  /** Only counts. */
  readonly dryRun?: boolean;
}

/** A stream by name: messages stay by age, size, count or key, and are read by groups and readers. */
export class Stream<T = unknown, In = T> extends Destination<In, StreamPublishOptions, Receipt> {
  readonly #internals: Internals;
  readonly #definition: StreamDefinition<T, In>;
  readonly #declares: boolean;
  readonly #target: Target;

  /** @internal */
  constructor(internals: Internals, definition: StreamDefinition<T, In>, { declare = true }: StreamOptions) {
    super(definition.name, internals.publisher, definition.schema);
    this.#internals = internals;
    this.#definition = definition;
    this.#declares = declare;
    this.#target = streamTarget(definition.name, declare);
  }

  /** @internal */
  protected target(): Target {
    return this.#target;
  }

  /** Consumers that share a position in this stream. @throws InvalidName */
  group(name: string): Group<T> {
    const { schema, onInvalid = "dead-letter" } = this.#definition;
    const check = schema === undefined ? undefined : { schema, onInvalid };
    return new Group<T>(this.#internals, this.name, checkName("group", name), check, this.#declares);
  }

  /**
   * Follows the stream without a group: every message from `from` on, by `for await` or by `onMessages`, across
   * reconnects without gap or repetition. It settles nothing; keep the offset of the last message to go on later.
   * With a definition's schema, bodies are what it returns, and what it refuses is left out: see {@link ReadOptions.onInvalid}.
   */
  read(options: ReadOptions<T> = {}): Reader<T> {
    return new Reader<T>(this.#internals, this.name, options, this.#definition.schema);
  }

  /** Declares the stream, with its definition's settings if none are given: see {@link Queue.declare}. */
  async declare(
    settings: StreamSettings = this.#definition.settings ?? {},
    { update = false }: { readonly update?: boolean } = {},
  ): Promise<{ created: boolean }> {
    const { link } = this.#internals;
    const reply = await link.request({ op: "declare", stream: this.name, settings: toWire(settings), update });
    return { created: reply["created"] === true };
  }

  /** Removes the stream and its groups. */
  async delete(): Promise<void> {
    await this.#internals.link.request({ op: "delete", stream: this.name }, { repeat: false });
  }

  /**
   * For a stream with `compaction`: says that a key has no value any more. Readers and groups see it as a message with
   * `isTombstone` and the body null; after `tombstoneMs` it goes, and the key with it.
   */
  tombstone(key: string): Promise<Receipt> {
    const options = { key, headers: { [TOMBSTONE]: "true" } };
    return this.#internals.publisher.publish(this.#target, new Uint8Array(0), options);
  }

  /**
   * Where the messages published at a time, or later, begin; the end of the stream, if there are none.
   *
   * @param time - a Date, or milliseconds since the epoch.
   * @throws QueueNotFound
   */
  async offsetAt(time: Date | number): Promise<number> {
    const at = time instanceof Date ? time.getTime() : time;
    return Number((await this.#internals.query("offset", { stream: this.name, at }))["offset"]);
  }

  async stats(): Promise<StreamStats> {
    return fromWire<{ stream: StreamStats }>(await this.#internals.query("stream", { stream: this.name })).stream;
  }

  /** Copies messages `first` to `last` to a queue, as if they were published again. */
  replay({ queue, signal, onProgress, ...range }: ReplayOptions): Promise<Moved> {
    const args = { stream: this.name, ...range, queue: nameOf(queue) };
    return operateLong(this.#internals, "replay", args, { signal, onProgress });
  }
}
