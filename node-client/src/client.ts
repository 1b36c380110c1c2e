import { atMost } from "./consume/worker.js";
import type { PostroadError } from "./errors.js";
import type { Internals } from "./internals.js";
import { Link } from "./link.js";
import type { MessageView } from "./live/message.js";
import type { QueueView, Tap } from "./live/queue.js";
import { LiveRegistry } from "./live/registry.js";
import { checkName } from "./names.js";
import { type ConnectOptions, resolveOptions } from "./options.js";
import type { RequestOptions } from "./pending.js";
import { fromWire, toWire } from "./protocol/case.js";
import type {
  LogLine,
  MessageInfo,
  OperationInfo,
  Overview,
  QueueEvent,
  QueueStats,
  StreamStats,
  Welcome,
} from "./protocol/types.js";
import { Publisher } from "./publish/publisher.js";
import { Queue, type QueueOptions } from "./queue.js";
import { type ScheduleSpec, Schedules } from "./schedules.js";
import type { QueueDefinition, StreamDefinition, TopicDefinition } from "./schema/define.js";
import type { Status } from "./session/session.js";
import { Stream, type StreamOptions } from "./stream.js";
import { type Binding, type BindingTarget, changeBinding, Topic } from "./topic.js";
import { whenUnreachable } from "./unreachable.js";

export interface WatchQueueOptions {
  /** Begin with the last so many events, at most 1,000. */
  readonly last?: number;
  /** Begin after this position. */
  readonly from?: number;
  readonly onEvents?: Tap["onEvents"];
  readonly onState?: (state: QueueView) => void;
}

export interface WatchMessageOptions {
  /** The capability from the receipt; not needed with the right to peek. */
  readonly watch?: string | undefined;
  readonly onState: (state: MessageView) => void;
}

export interface ClientCloseOptions {
  /** Let handlers finish and confirms arrive. @defaultValue `true` */
  readonly drain?: boolean;
  /** @defaultValue 10,000 */
  readonly timeoutMs?: number;
}

/** How long a closing client waits for a connection. */
const UNREACHABLE_MS = 2_000;

/**
 * Connects to a Postroad server. It returns at once; the connection is made in the background and made again whenever it
 * is lost, and what was published or consumed goes on.
 */
export function connect(url: string, options: ConnectOptions = {}): Client {
  return new Client(url, options);
}

export class Client {
  /** Live state, for user interfaces: see {@link Client.watchQueue}, {@link Client.watchMessage}. @internal */
  readonly live: LiveRegistry;
  /** What is published at set times. */
  readonly schedules: Schedules;
  readonly #link: Link;
  readonly #publisher: Publisher;
  readonly #internals: Internals;
  readonly #onOnline = (): void => this.#link.retryNow();
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(url: string, options: ConnectOptions) {
    this.#link = new Link(resolveOptions(url, options));
    this.#publisher = new Publisher(this.#link);
    this.#internals = {
      link: this.#link,
      publisher: this.#publisher,
      query: (what, args, asked) => this.query(what, args, asked),
      operate: (what, args, asked) => this.operate(what, args, asked),
      closers: new Set(),
      calls: { open: 0, waiting: [] },
    };
    this.schedules = new Schedules(this.#internals);
    this.live = new LiveRegistry(this.#link);
    if (typeof globalThis.addEventListener === "function") globalThis.addEventListener("online", this.#onOnline);
  }

  get status(): Status {
    return this.#link.status;
  }

  /** What the server said about itself, once it has. */
  get welcome(): Welcome | undefined {
    return this.#link.welcome;
  }

  /** Why there is no connection. */
  get error(): PostroadError | undefined {
    return this.#link.lastError;
  }

  /** Time between `hello` and its answer, when last measured. */
  get latencyMs(): number | undefined {
    return this.#link.latencyMs;
  }

  /** Whether more may be sent without filling the buffer. */
  get isWritable(): boolean {
    return this.#publisher.isWritable;
  }

  /** Listens to changes of {@link Client.status}; call what it returns to stop. */
  onStatus(listener: (status: Status) => void): () => void {
    return this.#link.onStatus(listener);
  }

  /** Listens to errors that belong to no request; call what it returns to stop. */
  onError(listener: (error: PostroadError) => void): () => void {
    return this.#link.onError(listener);
  }

  /** Resolved while the connection is open; rejected if the client ends first. */
  ready(): Promise<Welcome> {
    return this.#link.ready();
  }

  /** A queue by name or definition; nothing is sent. @throws InvalidName if it breaks the rules for names. */
  queue<T = unknown>(name: string, options?: QueueOptions): Queue<T>;
  queue<Out, In>(definition: QueueDefinition<Out, In>, options?: QueueOptions): Queue<Out, In>;
  queue<Out, In>(named: string | QueueDefinition<Out, In>, options: QueueOptions = {}): Queue<Out, In> {
    const definition = typeof named === "string" ? { kind: "queue" as const, name: named } : named;
    checkName("queue", definition.name);
    return new Queue<Out, In>(this.#internals, definition, options);
  }

  /** A stream by name or definition; nothing is sent. @throws InvalidName */
  stream<T = unknown>(name: string, options?: StreamOptions): Stream<T>;
  stream<Out, In>(definition: StreamDefinition<Out, In>, options?: StreamOptions): Stream<Out, In>;
  stream<Out, In>(named: string | StreamDefinition<Out, In>, options: StreamOptions = {}): Stream<Out, In> {
    const definition = typeof named === "string" ? { kind: "stream" as const, name: named } : named;
    checkName("stream", definition.name);
    return new Stream<Out, In>(this.#internals, definition, options);
  }

  /** A topic by name or definition; it needs no declaration. @throws InvalidName */
  topic<T = unknown>(name: string): Topic<T>;
  topic<Out, In>(definition: TopicDefinition<Out, In>): Topic<Out, In>;
  topic<Out, In>(named: string | TopicDefinition<Out, In>): Topic<Out, In> {
    const definition = typeof named === "string" ? { kind: "topic" as const, name: named } : named;
    checkName("topic", definition.name);
    return new Topic<Out, In>(this.#internals, definition);
  }

  /**
   * Copies what is published to matching topics to a queue or stream, which must exist: `*` is one word, `#` any number.
   *
   * @throws QueueNotFound, InvalidName
   */
  bind(pattern: string, target: BindingTarget): Promise<{ changed: boolean }> {
    return changeBinding(this.#internals, "bind", pattern, target);
  }

  /** Takes a binding away; name it as it was made. */
  unbind(pattern: string, target: BindingTarget): Promise<{ changed: boolean }> {
    return changeBinding(this.#internals, "unbind", pattern, target);
  }

  async bindings(): Promise<readonly Binding[]> {
    return fromWire<{ bindings: Binding[] }>(await this.query("bindings")).bindings;
  }

  /** Makes a schedule, or replaces the one of that name: `{ cron: "0 3 * * *", queue: "reports", message: { body } }`. */
  schedule(name: string, spec: ScheduleSpec): Promise<{ nextAt: number | null }> {
    return this.schedules.declare(name, spec);
  }

  /** Waits for the confirm of everything published so far; throws the first failure of what was published with `send`. */
  flush(): Promise<void> {
    return this.#publisher.flush();
  }

  /** Resolved when there is room for more. */
  writable(): Promise<void> {
    return this.#publisher.writable();
  }

  /** Any query of docs/protocol.md §6; the answer is as on the wire. */
  query(what: string, args: object = {}, options?: RequestOptions): Promise<Readonly<Record<string, unknown>>> {
    return this.#link.request({ op: "query", what, ...toWire(args) }, options);
  }

  /** Any operation of docs/protocol.md §6; the answer is as on the wire. */
  operate(what: string, args: object = {}, options?: RequestOptions): Promise<Readonly<Record<string, unknown>>> {
    return this.#link.request({ op: "operate", do: what, ...toWire(args) }, { repeat: false, ...options });
  }

  async overview(): Promise<Overview> {
    return fromWire<Overview>(await this.query("overview"));
  }

  /**
   * Says that the server's clock is right, where it was far ahead at a start and nothing is deleted for its age (see
   * `clockHeld` of the overview). Needs the right to manage everything.
   *
   * @returns Whether anything was held.
   */
  async confirmClock(): Promise<boolean> {
    return (await this.operate("confirm_clock", {}, { repeat: true }))["confirmed"] === true;
  }

  /** Long operations that go on: redriving, discarding, purging, replaying. */
  async operations(): Promise<readonly OperationInfo[]> {
    return fromWire<{ operations: OperationInfo[] }>(await this.query("operations")).operations;
  }

  /** Ends one of them after the step that it is at. @throws InvalidState if it has ended. */
  async stopOperation(id: string): Promise<void> {
    await this.operate("stop", { operation: id });
  }

  async queues(): Promise<readonly QueueStats[]> {
    return fromWire<{ queues: QueueStats[] }>(await this.query("queues")).queues;
  }

  async streams(): Promise<readonly StreamStats[]> {
    return fromWire<{ streams: StreamStats[] }>(await this.query("streams")).streams;
  }

  /** One message with state, timeline and body. */
  async message(id: string): Promise<MessageInfo> {
    return fromWire<{ message: MessageInfo }>(await this.query("message", { message: id })).message;
  }

  /** What the handlers of a message said with `m.log`, oldest first; `watch` is its capability, which is enough. */
  async logs(id: string, { watch }: { readonly watch?: string | undefined } = {}): Promise<readonly LogLine[]> {
    const capability = watch === undefined ? {} : { capability: watch };
    return fromWire<{ logs: LogLine[] }>(await this.query("logs", { message: id, ...capability })).logs;
  }

  /** The last events of a queue, or of all for `null`; oldest first. */
  async events(queue: string | null, last: number = 100): Promise<readonly QueueEvent[]> {
    return fromWire<{ events: QueueEvent[] }>(
      await this.query("events", { ...(queue === null ? {} : { queue }), last }),
    ).events;
  }

  /** Cancels a message; a handler that works on it is told by its signal. */
  async cancel(id: string): Promise<void> {
    await this.operate("cancel", { message: id });
  }

  /**
   * Follows a queue, or all for `null`, also across reconnects. Many watchers of one queue share one watch.
   *
   * @returns what ends it.
   */
  watchQueue(name: string | null, { last = 0, from, onEvents, onState }: WatchQueueOptions): () => void {
    const source = from === undefined ? this.live.queue(name) : this.live.queueFrom(name, from);
    const ends: (() => void)[] = [];
    if (onState !== undefined) ends.push(source.state.subscribe(() => onState(source.state.get())));
    if (onEvents !== undefined) ends.push(source.tap({ last, onEvents }));
    if (onState !== undefined && source.state.get().status !== "loading")
      queueMicrotask(() => ends.length > 0 && onState(source.state.get()));
    return () => {
      for (const end of ends.splice(0)) end();
    };
  }

  /** Follows one message. @returns what ends it. */
  watchMessage(id: string, { watch, onState }: WatchMessageOptions): () => void {
    const source = this.live.message(id, watch);
    let isOver = false;
    const end = source.subscribe(() => onState(source.get()));
    if (source.get().status !== "loading") queueMicrotask(() => !isOver && onState(source.get()));
    return () => {
      isOver = true;
      end();
    };
  }

  /**
   * Ends the client: consumers stop and let handlers finish, confirms are awaited, then the connection is closed.
   * If there is none, one more attempt is made; when that fails, everything ends at once.
   */
  close(options: ClientCloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close({ drain = true, timeoutMs = 10_000 }: ClientCloseOptions): Promise<void> {
    const { closers } = this.#internals;
    if (drain && this.status !== "closed") {
      const deadline = Date.now() + timeoutMs;
      const unreachable = whenUnreachable(this.#link, UNREACHABLE_MS);
      const drained = Promise.all([...closers].map((close) => close({ drain, timeoutMs }))).then(() =>
        this.#publisher.flush().catch(() => {}),
      );
      // Without a connection nothing will be confirmed, and handlers work for nothing.
      await atMost(deadline - Date.now(), Promise.race([drained, unreachable.promise]));
      unreachable.stop();
    }
    if (typeof globalThis.removeEventListener === "function") globalThis.removeEventListener("online", this.#onOnline);
    this.#link.close();
  }
}
