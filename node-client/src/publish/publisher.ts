/**
 * Producing: what is published to one target in one tick becomes one numbered frame with one confirm; messages of another
 * priority go in a frame of their own. Order is promised among those of one priority only, and to the broker a frame of one
 * priority is one run of messages, where priorities in turns would be as many runs as messages.
 */

import { platform } from "#platform";
import {
  asPostroadError,
  InvalidRequest,
  InvalidState,
  LimitExceeded,
  OutcomeUnknown,
  type PostroadError,
} from "../errors.js";
import type { Link, Participant } from "../link.js";
import type { Opening } from "../session/session.js";
import { type Attributes, checkAttributes, checkForStream, exceeded, type PublishOptions } from "./attributes.js";
import { Batch, type Body } from "./batch.js";
import { Outbox, type OutboxFrame, WINDOW } from "./outbox.js";
import { type Confirm, Receipt, readConfirm } from "./receipt.js";
import type { Target } from "./target.js";

/** A frame is closed when its bodies reach this: larger ones are slower, also for the broker. */
const FRAME_BYTES = 96 * 1024;

export class Publisher implements Participant {
  readonly #link: Link;
  readonly #outbox: Outbox;
  readonly #open = new Map<string, Batch>();
  readonly #bytesMax: number;
  #openBytes = 0;
  #openPromises = 0;
  #scheduled = false;
  #joined = false;
  #failure: PostroadError | undefined;
  #writable: { promise: Promise<void>; resolve(): void } | undefined;

  constructor(link: Link) {
    this.#link = link;
    this.#bytesMax = link.options.offlineBytesMax;
    this.#outbox = new Outbox(Math.ceil(this.#bytesMax / 2));
  }

  /** Whether more may be published without filling the buffer. */
  get isWritable(): boolean {
    return this.#isBelow(1);
  }

  publish(target: Target, body: unknown, options: PublishOptions | undefined): Promise<Receipt> {
    const signal = options?.signal;
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    let batch: Batch;
    let index: number;
    try {
      batch = this.#batch(target, options, body);
      index = this.#add(batch, body, options, 1);
    } catch (error) {
      return Promise.reject(asPostroadError(error));
    }
    const receipt = batch.confirmed.then(receiptAt(index));
    return signal === undefined ? receipt : abortable(receipt, signal);
  }

  /** @throws LimitExceeded if the buffer is full. */
  send(target: Target, body: unknown, options: PublishOptions | undefined): boolean {
    const batch = this.#batch(target, options, body);
    this.#add(batch, body, options, 0);
    batch.unwatched = true;
    return this.isWritable;
  }

  /** Resolved when there is room again: if there was none, for half of what fits, so that what is then published makes whole frames. */
  writable(): Promise<void> {
    if (this.isWritable) return Promise.resolve();
    this.#flushOpen();
    if (this.#writable === undefined) {
      let resolve = (): void => {};
      const promise = new Promise<void>((done) => {
        resolve = done;
      });
      this.#writable = { promise, resolve };
    }
    return this.#writable.promise;
  }

  /** Waits for the answer to everything published so far, and throws the first failure of what was sent. */
  async flush(): Promise<void> {
    this.#flushOpen();
    const answers = await Promise.allSettled(this.#outbox.all().map((frame) => frame.batch.confirmed));
    const separated = answers.flatMap((answer) =>
      answer.status === "fulfilled" && isSeparated(answer.value) ? answer.value : [],
    );
    await Promise.allSettled(separated.map((single) => single.confirmed));
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
  }

  opened({ welcome, first, known, downMs }: Opening): void {
    const { resend, unknown, renew } = this.#outbox.reopen(
      welcome.session?.lastFrame ?? 0,
      first ? undefined : known,
      downMs,
    );
    for (const frame of unknown) {
      this.#reject(frame, new OutcomeUnknown("The broker no longer knows whether it stored this."));
    }
    if (renew) {
      this.#link.renewSession();
      return;
    }
    for (const frame of resend) this.#transmit(frame);
    this.#pump();
  }

  lost(): void {}

  ended(error: PostroadError): void {
    const frames = this.#outbox.all();
    const batches = [...this.#open.values()];
    this.#outbox.clear();
    this.#open.clear();
    for (const frame of frames) {
      this.#reject(
        frame,
        frame.number === 0 ? error : new OutcomeUnknown("The client ended before the confirm.", { cause: error }),
      );
    }
    for (const batch of batches) batch.reject(error);
    this.#wake();
  }

  #batch(target: Target, options: PublishOptions | undefined, body: unknown): Batch {
    if (this.#link.status === "closed") throw this.#link.lastError ?? new InvalidState("The client is closed.");
    if (!this.#joined) {
      this.#joined = true;
      this.#link.join(this);
    }
    const type = options?.type;
    const kind = body instanceof Uint8Array && type !== "json" && type !== "text" ? "bytes" : "text";
    const priority = options?.priority ?? 0;
    const key = priority === 0 ? target.key : `${priority} ${target.key}`;
    let batch = this.#open.get(key);
    if (batch !== undefined && batch.kind !== kind) {
      this.#close(batch);
      batch = undefined;
    }
    if (batch === undefined) {
      batch = new Batch(target, kind, key);
      this.#open.set(key, batch);
      this.#schedule();
    }
    return batch;
  }

  #add(batch: Batch, body: unknown, options: PublishOptions | undefined, promises: 0 | 1): number {
    const { limits } = this.#link;
    const content = encodeBody(body, options?.type, batch.kind);
    const length = content.length;
    // A string's length is a lower bound of its bytes, and a third of an upper one.
    if (
      length > limits.bodyBytesMax ||
      (typeof content === "string" &&
        length * 3 > limits.bodyBytesMax &&
        platform.byteLength(content) > limits.bodyBytesMax)
    ) {
      throw exceeded("body_bytes_max", limits.bodyBytesMax);
    }
    if (this.#outbox.bytes + this.#openBytes + length > this.#bytesMax) {
      throw new LimitExceeded(`${this.#bytesMax} bytes of messages wait for their confirm.`, {
        retryable: true,
        details: { limit: "offline_bytes_max", value: this.#bytesMax },
      });
    }
    let attributes: Attributes | undefined;
    if (options !== undefined) {
      attributes = checkAttributes(options, limits);
      if (batch.target.kind === "stream") checkForStream(options);
    }
    if (batch.kind === "bytes") attributes = { ...attributes, type: "bytes" };
    const index = batch.add(content, attributes);
    this.#openBytes += length;
    this.#openPromises += promises;
    batch.promises += promises;
    if (batch.size >= FRAME_BYTES || batch.count >= limits.messagesMax) {
      this.#close(batch);
      this.#pump();
    }
    return index;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    platform.endOfTick(() => {
      this.#scheduled = false;
      this.#flushOpen();
    });
  }

  #flushOpen(): void {
    for (const batch of this.#open.values()) this.#close(batch);
    this.#pump();
  }

  #close(batch: Batch): void {
    this.#open.delete(batch.key);
    this.#openBytes -= batch.size;
    this.#openPromises -= batch.promises;
    if (batch.count > 0) this.#outbox.add(batch);
  }

  #pump(): void {
    while (this.#link.status === "open") {
      const frame = this.#outbox.next(() => this.#link.requests.nextId());
      if (frame === undefined) return;
      this.#transmit(frame);
    }
  }

  #transmit(frame: OutboxFrame): void {
    this.#link.requests.expect(frame.id, {
      ok: (header) => {
        this.#outbox.remove(frame, true);
        frame.batch.resolve(readConfirm(header));
        this.#answered();
      },
      failed: (error) => this.#failed(frame, error),
    });
    if (frame.bytes !== undefined) this.#link.send(frame.bytes);
  }

  #failed(frame: OutboxFrame, error: PostroadError): void {
    // A stopping server stores nothing more: the frame stays and goes to its successor under the same number.
    if (error.code === "unavailable" && this.#link.status === "draining") return;
    this.#outbox.remove(frame, false);
    if (error.code === "conflict" && frame.batch.hasDedupKeys && frame.count > 1) this.#separate(frame.batch);
    else this.#reject(frame, error);
    this.#answered();
  }

  /** One message's dedup key refused the whole frame: nothing of it was stored, so each goes alone. */
  #separate(batch: Batch): void {
    const singles = batch.split();
    for (const single of singles) this.#outbox.add(single);
    if (batch.unwatched) for (const single of singles) single.unwatched = true;
    batch.resolve(singles);
  }

  #reject(frame: OutboxFrame, error: PostroadError): void {
    if (frame.batch.unwatched) this.#failure ??= error;
    frame.batch.reject(error);
  }

  #answered(): void {
    this.#pump();
    if (this.#writable !== undefined && this.#isBelow(0.5)) this.#wake();
  }

  #isBelow(share: number): boolean {
    const { messages, promises, bytes } = this.#outbox;
    return (
      messages < WINDOW.messages * share &&
      promises + this.#openPromises < WINDOW.promises * share &&
      bytes + this.#openBytes < (this.#bytesMax / 2) * share
    );
  }

  #wake(): void {
    this.#writable?.resolve();
    this.#writable = undefined;
  }
}

const isSeparated = (outcome: Confirm | readonly Batch[]): outcome is readonly Batch[] => Array.isArray(outcome);

/** From a batch's confirm to one message's receipt. Alone here, so that a message's closure holds nothing but its index. */
function receiptAt(index: number): (outcome: Confirm | readonly Batch[]) => Receipt | Promise<Receipt> {
  return (outcome) => {
    if (!isSeparated(outcome)) return new Receipt(outcome, index);
    const single = outcome[index];
    if (single === undefined)
      throw new OutcomeUnknown("The frame was separated, and this message is in no part of it.");
    return single.confirmed.then(receiptAt(0));
  };
}

function encodeBody(body: unknown, type: PublishOptions["type"], kind: Batch["kind"]): Body {
  if (kind === "bytes" && body instanceof Uint8Array) {
    // Copied, because the caller may use the array again before the frame is built.
    return body.slice();
  }
  if (type === "bytes")
    throw new InvalidRequest("A body of type bytes is a Uint8Array.", { details: { field: "body" } });
  if (type === "text") {
    if (typeof body !== "string")
      throw new InvalidRequest("A body of type text is a string.", { details: { field: "body" } });
    // A half of a surrogate pair has no UTF-8, and two of them from neighbours would become one character.
    return body.isWellFormed() ? body : body.toWellFormed();
  }
  let text: string | undefined;
  try {
    text = JSON.stringify(body) as string | undefined;
  } catch (cause) {
    throw new InvalidRequest("The body is not JSON.", { cause, details: { field: "body" } });
  }
  if (text === undefined) throw new InvalidRequest("The body is not JSON.", { details: { field: "body" } });
  return text;
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
