/** Messages on their way into one frame: their JSON in one string, their lengths beside it. */

import { platform } from "#platform";
import type { PostroadError } from "../errors.js";
import { Columns } from "../protocol/columns.js";
import { encodeBytes, encodeText } from "../protocol/frame.js";
import type { Attributes } from "./attributes.js";
import type { Confirm } from "./receipt.js";
import type { Target } from "./target.js";

export type Body = string | Uint8Array;

export class Batch {
  readonly target: Target;
  readonly kind: "text" | "bytes";
  /** What the publisher knows it by while messages may join. */
  readonly key: string;
  /** The confirm that all messages of the batch share, or the batches of one message each that went instead. */
  readonly confirmed: Promise<Confirm | readonly Batch[]>;
  /** Whether messages are in it for which nobody waits. */
  unwatched = false;
  /** How many messages have a promise of their own. */
  promises = 0;
  /** Body length so far: characters of a string, bytes of bytes. */
  size = 0;
  resolve: (confirm: Confirm | readonly Batch[]) => void = () => {};
  reject: (error: PostroadError) => void = () => {};
  readonly #columns = new Columns();
  readonly #lengths: number[] = [];
  #text = "";
  #chunks: Uint8Array[] = [];

  constructor(target: Target, kind: "text" | "bytes", key: string = target.key) {
    this.target = target;
    this.kind = kind;
    this.key = key;
    this.confirmed = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Each message's own promise carries the error on; this one is nobody's.
    this.confirmed.catch(() => {});
  }

  get count(): number {
    return this.#lengths.length;
  }

  get hasDedupKeys(): boolean {
    return this.#columns.has("dedup_key");
  }

  add(body: Body, attributes: Attributes | undefined): number {
    const length = body.length;
    if (typeof body === "string") this.#text += body;
    else this.#chunks.push(body);
    this.#lengths.push(length);
    this.size += length;
    this.#columns.add(attributes);
    return this.#lengths.length - 1;
  }

  encode(id: number, frame: number): Uint8Array<ArrayBuffer> {
    const header: Record<string, unknown> = { op: "publish", id, ...this.target.fields, frame };
    Object.assign(header, this.#columns.encode());
    if (this.kind === "bytes") return encodeBytes({ ...header, sizes: this.#lengths }, this.#chunks);
    const bytes = platform.byteLength(this.#text);
    header["sizes"] =
      bytes === this.#text.length ? this.#lengths : this.#bodies().map((body) => platform.byteLength(body));
    return encodeText(header, this.#text, bytes);
  }

  /** One batch for each message, in order. */
  split(): Batch[] {
    const bodies: readonly Body[] = this.kind === "bytes" ? this.#chunks : this.#bodies();
    return bodies.map((body, index) => {
      const single = new Batch(this.target, this.kind);
      single.add(body, this.#columns.encode(index, index + 1) as Attributes);
      return single;
    });
  }

  #bodies(): string[] {
    let offset = 0;
    return this.#lengths.map((length) => {
      const start = offset;
      offset += length;
      return this.#text.slice(start, offset);
    });
  }
}
