/**
 * The frames of a producer session, without a socket (docs/protocol.md §4.2).
 *
 * A frame waits, is sent under the next number, and stays until it is answered. After a reconnect what was sent and not
 * answered goes out again, unchanged and in order. Numbers begin above the server's `last_frame`. If the server has
 * forgotten the session, or is another one, nobody knows what became of frames that were sent: they must not go out again.
 */
import type { Batch } from "./batch.js";

export interface OutboxFrame {
  readonly batch: Batch;
  readonly count: number;
  readonly size: number;
  id: number;
  number: number;
  /** The frame as it was first sent; undefined until then. */
  bytes: Uint8Array<ArrayBuffer> | undefined;
}

/**
 * What may be sent and unanswered at a time; more promises than that are made if the producer insists, but they outlive
 * the young generation and then cost twice as much. The broker remembers 1,024 confirms, so there are never more frames than that.
 */
export const WINDOW = { frames: 1_000, messages: 100_000, promises: 8_000 } as const;

/** The broker keeps a session for 10 minutes after its connection closed; a minute less, because clocks differ. */
const SESSION_KEPT_MS = 9 * 60_000;

export class Outbox {
  readonly #waiting: OutboxFrame[] = [];
  readonly #sent = new Map<number, OutboxFrame>();
  readonly #windowBytes: number;
  #nextNumber = 1;
  #highestConfirmed = 0;
  #sentMessages = 0;
  #sentBytes = 0;
  /** Bytes and messages that are not answered. */
  bytes = 0;
  messages = 0;
  /** Messages among them that somebody waits for. */
  promises = 0;

  constructor(windowBytes: number) {
    this.#windowBytes = windowBytes;
  }

  add(batch: Batch): OutboxFrame {
    const frame: OutboxFrame = { batch, count: batch.count, size: batch.size, id: 0, number: 0, bytes: undefined };
    this.#waiting.push(frame);
    this.bytes += frame.size;
    this.messages += frame.count;
    this.promises += batch.promises;
    return frame;
  }

  /** The next frame that the window has room for, encoded under its number; undefined if there is none. */
  next(nextId: () => number): OutboxFrame | undefined {
    const frame = this.#waiting[0];
    if (frame === undefined || this.#isFull(frame)) return undefined;
    this.#waiting.shift();
    frame.number = this.#nextNumber++;
    frame.id = nextId();
    frame.bytes = frame.batch.encode(frame.id, frame.number);
    this.#sent.set(frame.number, frame);
    this.#sentBytes += frame.size;
    this.#sentMessages += frame.count;
    return frame;
  }

  /** A frame was answered, or given up. */
  remove(frame: OutboxFrame, confirmed: boolean): void {
    if (!this.#sent.delete(frame.number)) return;
    if (confirmed) this.#highestConfirmed = Math.max(this.#highestConfirmed, frame.number);
    this.#sentBytes -= frame.size;
    this.#sentMessages -= frame.count;
    this.bytes -= frame.size;
    this.messages -= frame.count;
    this.promises -= frame.batch.promises;
    frame.bytes = undefined;
  }

  /**
   * A connection opened.
   *
   * @param lastFrame - the highest number that the server has confirmed in this session.
   * @param sameStore - whether it is the data set of the last connection; undefined at the first one.
   * @returns what to send again, or what became unknown; `renew` asks for another session.
   */
  reopen(
    lastFrame: number,
    sameStore: boolean | undefined,
    downMs: number,
  ): { resend: OutboxFrame[]; unknown: OutboxFrame[]; renew: boolean } {
    if (sameStore === undefined) {
      this.#nextNumber = Math.max(this.#nextNumber, lastFrame + 1);
      return { resend: [...this.#sent.values()], unknown: [], renew: false };
    }
    const forgotten = !sameStore || lastFrame < this.#highestConfirmed || (lastFrame === 0 && downMs > SESSION_KEPT_MS);
    if (!forgotten) return { resend: [...this.#sent.values()], unknown: [], renew: false };
    const unknown = [...this.#sent.values()];
    for (const frame of unknown) this.remove(frame, false);
    const renew = this.#nextNumber > 1;
    this.#nextNumber = 1;
    this.#highestConfirmed = 0;
    return { resend: [], unknown, renew };
  }

  /** Everything unanswered, in order. */
  all(): OutboxFrame[] {
    return [...this.#sent.values(), ...this.#waiting];
  }

  clear(): void {
    this.#waiting.length = 0;
    this.#sent.clear();
    this.bytes = this.messages = this.promises = this.#sentBytes = this.#sentMessages = 0;
  }

  #isFull(next: OutboxFrame): boolean {
    if (this.#sent.size === 0) return false;
    return (
      this.#sent.size >= WINDOW.frames ||
      this.#sentMessages + next.count > WINDOW.messages ||
      this.#sentBytes + next.size > this.#windowBytes
    );
  }
}
