/** Which request a reply belongs to. Ids are never used twice, so a late reply finds nobody. */

import { errorFrom, type PostroadError } from "../errors.js";
import type { Frame, Header } from "../protocol/frame.js";

export interface Waiting {
  ok(header: Header, frame: Frame): void;
  failed(error: PostroadError): void;
}

export class Requests {
  #waiting = new Map<number, Waiting>();
  #last = 0;

  nextId(): number {
    return ++this.#last;
  }

  expect(id: number, waiting: Waiting): void {
    this.#waiting.set(id, waiting);
  }

  forget(id: number): void {
    this.#waiting.delete(id);
  }

  /** A connection is gone: replies to what is not sent again will not come. */
  keepOnly(ids: Iterable<number>): void {
    const kept = new Map<number, Waiting>();
    for (const id of ids) {
      const waiting = this.#waiting.get(id);
      if (waiting !== undefined) kept.set(id, waiting);
    }
    this.#waiting = kept;
  }

  /** Gives a reply to who waits for it; false if nobody does. */
  reply(frame: Frame): boolean {
    const { id, op } = frame.header;
    if (typeof id !== "number") return false;
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return false;
    this.#waiting.delete(id);
    if (op === "error") waiting.failed(errorFrom(frame.header));
    else waiting.ok(frame.header, frame);
    return true;
  }
}
