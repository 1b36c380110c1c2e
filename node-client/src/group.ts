import type { BatchConsumer, BatchHandler, BatchOptions } from "./consume/batch.js";
import type { Consumer, Handler } from "./consume/consumer.js";
import type { Messages, MessagesOptions } from "./consume/iterator.js";
import { Receiver } from "./consume/receiver.js";
import type { ConsumeOptions } from "./consume/worker.js";
import { QueueNotFound } from "./errors.js";
import type { Internals } from "./internals.js";
import { type Moved, operateLong, type RedriveOptions } from "./operation.js";
import { fromWire, toWire } from "./protocol/case.js";
import type { GroupStats, QueueSettings, StartFrom, StreamStats } from "./protocol/types.js";
import type { BodyCheck } from "./schema/check.js";

export interface GroupConsumeOptions extends ConsumeOptions {
  /** Where the group begins if it does not exist yet. @defaultValue `"latest"` */
  readonly from?: StartFrom;
}

/** Consumers that share a position in a stream: each message goes to one of them, with leases, retries and dead letters as in a queue. */
export class Group<T = unknown> {
  readonly stream: string;
  readonly name: string;
  readonly #internals: Internals;
  readonly #receiver: Receiver<T, GroupConsumeOptions>;

  /** @internal */
  constructor(internals: Internals, stream: string, name: string, check: BodyCheck | undefined, declares: boolean) {
    this.stream = stream;
    this.name = name;
    this.#internals = internals;
    this.#receiver = new Receiver(internals, ({ declare = declares, from }) => ({
      name: `${stream}/${name}`,
      fields: { stream, group: name, ...(from === undefined ? {} : { from }), ...(declare ? {} : { declare }) },
      check,
    }));
  }

  /** As {@link Queue.consume}. The group's position is its lowest unsettled offset; there is no commit. */
  consume(handler: Handler<T>, options: GroupConsumeOptions = {}): Consumer<T> {
    return this.#receiver.consume(handler, options);
  }

  /** As {@link Queue.consumeBatch}. */
  consumeBatch(handler: BatchHandler<T>, options: GroupConsumeOptions & BatchOptions = {}): BatchConsumer<T> {
    return this.#receiver.consumeBatch(handler, options);
  }

  /** Messages by `for await`; each must be settled: `await m.ack()`. */
  messages(options: Omit<GroupConsumeOptions, "concurrency"> & MessagesOptions = {}): Messages<T> {
    return this.#receiver.messages(options);
  }

  /** Declares the group; `from` says where a new one begins. */
  async declare(
    settings: QueueSettings = {},
    { from, update = false }: { readonly from?: StartFrom; readonly update?: boolean } = {},
  ): Promise<{ created: boolean }> {
    const reply = await this.#internals.link.request({
      op: "declare",
      stream: this.stream,
      group: this.name,
      settings: toWire(settings),
      update,
      ...(from === undefined ? {} : { from }),
    });
    return { created: reply["created"] === true };
  }

  /** @throws QueueNotFound if the stream has no such group. */
  async stats(): Promise<GroupStats> {
    const { stream } = fromWire<{ stream: StreamStats }>(
      await this.#internals.query("stream", { stream: this.stream }),
    );
    const stats = groupOf(stream, this.name);
    if (stats === undefined) throw new QueueNotFound(`The stream "${this.stream}" has no group "${this.name}".`);
    return stats;
  }

  /** Puts the group elsewhere: it goes on from there, its leases are revoked and its attempts forgotten. */
  async reset(to: StartFrom): Promise<{ offset: number }> {
    const { offset } = await this.#internals.operate("reset", { stream: this.stream, group: this.name, to });
    return { offset: Number(offset) };
  }

  /** Removes the group with its position; the stream stays. */
  async delete(): Promise<void> {
    const { link } = this.#internals;
    await link.request({ op: "delete", stream: this.stream, group: this.name }, { repeat: false });
  }

  /** Makes messages of the group's dead-letter queue, `<stream>.<group>.dead`, ready again for this group alone, if the stream still has them. */
  redrive({ signal, onProgress, ...chosen }: RedriveOptions = {}): Promise<Moved> {
    const args = { queue: `${this.stream}.${this.name}.dead`, ...chosen };
    return operateLong(this.#internals, "redrive", args, { signal, onProgress });
  }
}

/** The server names a group by its stream as well. */
export const groupOf = ({ groups }: StreamStats, name: string): GroupStats | undefined =>
  groups.find((group) => group.name === name || group.name.endsWith(`/${name}`));
