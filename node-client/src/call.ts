/** Request and reply: publishes a message and follows that one message until it is done (docs/protocol.md §4.3, §7). */
import { PostroadError } from "./errors.js";
import type { Internals } from "./internals.js";
import { Watch } from "./live/watch.js";
import { fromWire } from "./protocol/case.js";
import { type Header, isRecord } from "./protocol/frame.js";
import type { MessageInfo, MessageState } from "./protocol/types.js";
import type { PublishOptions } from "./publish/attributes.js";
import type { Receipt } from "./publish/receipt.js";

export interface CallOptions extends PublishOptions {
  /** How long to wait for the result, from the call on; the message is not cancelled by it. @defaultValue 30,000 */
  readonly timeoutMs?: number;
}

/** The message of a call was given up before it was done. Made by the client, never by a server. */
export class CallFailed extends PostroadError {
  readonly messageId: string;
  /** `dead`, `expired`, `cancelled` or `purged`. */
  readonly state: MessageState;
  /** Why its last attempt failed. */
  readonly reason: string | undefined;

  constructor({ id, state, reason }: Pick<MessageInfo, "id" | "state" | "reason">) {
    super("call-failed", `The message ${id} is ${state}${reason ? `: ${reason}` : "."}`, { retryable: false });
    this.messageId = id;
    this.state = state;
    this.reason = reason ?? undefined;
  }
}

/** No result came in time; the message goes on and may still be done. Made by the client, never by a server. */
export class CallTimeout extends PostroadError {
  /** Undefined if not even the confirm came. */
  readonly messageId: string | undefined;

  constructor(timeoutMs: number, messageId: string | undefined) {
    super("call-timeout", `No result within ${timeoutMs} ms.`, { retryable: false });
    this.messageId = messageId;
  }
}

const FAILED: ReadonlySet<MessageState> = new Set(["dead", "expired", "cancelled", "purged"]);

export async function call(
  { link, calls }: Internals,
  publish: (options: PublishOptions) => Promise<Receipt>,
  { timeoutMs = 30_000, ...options }: CallOptions,
): Promise<unknown> {
  const { signal } = options;
  signal?.throwIfAborted();
  const over = new AbortController();
  const onAbort = (): void => over.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  let id: string | undefined;
  const timer = setTimeout(() => over.abort(new CallTimeout(timeoutMs, id)), timeoutMs);
  const ended = new Promise<never>((_resolve, reject) =>
    over.signal.addEventListener("abort", () => reject(over.signal.reason as Error), { once: true }),
  );
  ended.catch(() => {});
  try {
    const receipt = await Promise.race([publish(options), ended]);
    id = receipt.id;
    // Watches count against the connection's subscriptions, so that some calls may have to wait to look.
    while (calls.open >= link.limits.subscriptionsMax / 2) await turn(calls.waiting, ended);
    return await follow({ link, calls }, receipt, ended);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

/** Waits for a call to end, or throws when this one does. */
async function turn(waiting: (() => void)[], ended: Promise<never>): Promise<void> {
  let wake = (): void => {};
  const freed = new Promise<void>((resolve) => {
    wake = resolve;
  });
  waiting.push(wake);
  try {
    await Promise.race([freed, ended]);
  } catch (error) {
    const index = waiting.indexOf(wake);
    // Woken in vain: the turn is another's.
    if (index < 0) waiting.shift()?.();
    else waiting.splice(index, 1);
    throw error;
  }
}

async function follow(
  { link, calls }: Pick<Internals, "link" | "calls">,
  { id, watch: capability }: Receipt,
  ended: Promise<never>,
): Promise<unknown> {
  let watch: Watch | undefined;
  calls.open++;
  try {
    const done = new Promise<unknown>((resolve, reject) => {
      const take = (header: Header): void => {
        if (!isRecord(header["message"])) return;
        const message = fromWire<MessageInfo>(header["message"]);
        if (message.state === "done") resolve(message.result ?? undefined);
        else if (FAILED.has(message.state)) reject(new CallFailed(message));
      };
      watch = new Watch(link, {
        request: () => ({ message: id, ...(capability === undefined ? {} : { capability }) }),
        accepted: take,
        received: take,
        stale: () => {},
        failed: reject,
      });
      watch.start();
    });
    return await Promise.race([done, ended]);
  } finally {
    watch?.stop();
    calls.open--;
    calls.waiting.shift()?.();
  }
}
