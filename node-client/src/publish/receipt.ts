import { type Header, isRecord } from "../protocol/frame.js";
import { capability } from "./capability.js";

/** What the broker said about a whole frame. */
export interface Confirm {
  readonly position: number;
  readonly idPrefix: string;
  readonly watchKey: string | undefined;
  readonly duplicates: Readonly<Record<string, unknown>> | undefined;
  readonly routed: number | undefined;
}

export function readConfirm(header: Header): Confirm {
  const { position, id_prefix, watch_key, duplicates, routed } = header;
  return {
    position: typeof position === "number" ? position : 0,
    idPrefix: typeof id_prefix === "string" ? id_prefix : "",
    watchKey: typeof watch_key === "string" ? watch_key : undefined,
    duplicates: isRecord(duplicates) ? duplicates : undefined,
    routed: typeof routed === "number" ? routed : undefined,
  };
}

/** A published message: it is durable, as far as the broker's `durability` says. */
export class Receipt {
  readonly id: string;
  /** Whether a message with the same dedup key was there before; `id` is then that one's. */
  readonly duplicate: boolean;
  /** Journal position of the frame. */
  readonly position: number;
  /** Of a topic: to how many queues and streams messages of the frame went. */
  readonly routed: number | undefined;
  readonly #watchKey: string | undefined;
  readonly #index: number;

  constructor(confirm: Confirm, index: number) {
    const first = confirm.duplicates?.[index];
    this.duplicate = typeof first === "string";
    this.id = typeof first === "string" ? first : confirm.idPrefix + index;
    this.position = confirm.position;
    this.routed = confirm.routed;
    this.#watchKey = this.duplicate ? undefined : confirm.watchKey;
    this.#index = index;
  }

  /** Lets whoever has it watch this one message's state, never its body. Undefined for a duplicate: only its first producer has one. */
  get watch(): string | undefined {
    return this.#watchKey === undefined ? undefined : capability(this.#watchKey, this.#index);
  }

  toJSON(): { id: string; watch: string | undefined; duplicate: boolean; routed?: number } {
    const { id, watch, duplicate, routed } = this;
    return { id, watch, duplicate, ...(routed === undefined ? {} : { routed }) };
  }
}
