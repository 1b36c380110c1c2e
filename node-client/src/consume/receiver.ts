/** What queues and groups have in common: messages can be consumed from them, and each is settled. */
import type { Internals } from "../internals.js";
import { BatchConsumer, type BatchHandler, type BatchOptions } from "./batch.js";
import { Consumer, type Handler } from "./consumer.js";
import { Messages, type MessagesOptions } from "./iterator.js";
import type { Source } from "./source.js";
import type { ConsumeOptions } from "./worker.js";

/** The ways to consume a source, each closed with its client. */
export class Receiver<T, O extends ConsumeOptions = ConsumeOptions> {
  readonly #internals: Internals;
  readonly #source: (options: O | Omit<O, "concurrency">) => Source;

  constructor(internals: Internals, source: (options: O | Omit<O, "concurrency">) => Source) {
    this.#internals = internals;
    this.#source = source;
  }

  consume(handler: Handler<T>, options: O): Consumer<T> {
    const { link, closers } = this.#internals;
    const close = (how: { drain: boolean; timeoutMs: number }): Promise<void> => consumer.close(how);
    const consumer = new Consumer<T>(link, this.#source(options), handler, options, () => closers.delete(close));
    closers.add(close);
    return consumer;
  }

  consumeBatch(handler: BatchHandler<T>, options: O & BatchOptions): BatchConsumer<T> {
    const { link, closers } = this.#internals;
    const close = (how: { drain: boolean; timeoutMs: number }): Promise<void> => consumer.close(how);
    const consumer = new BatchConsumer<T>(link, this.#source(options), handler, options, () => closers.delete(close));
    closers.add(close);
    return consumer;
  }

  messages(options: Omit<O, "concurrency"> & MessagesOptions): Messages<T> {
    const { link, closers } = this.#internals;
    const close = ({ timeoutMs }: { timeoutMs: number }): Promise<void> => messages.close(timeoutMs);
    const messages = new Messages<T>(link, this.#source(options), options, () => closers.delete(close));
    closers.add(close);
    return messages;
  }
}
