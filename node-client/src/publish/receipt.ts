import { type Header, isRecord } from "../protocol/frame.js";
import { capability } from "./capability.js";

/** What the broker said about a whole frame; a `Receipt` is a view of it. */
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
  // Two words each and the rest when asked for: there may be as many receipts as messages.
  readonly #confirm: Confirm;
  readonly #index: number;

  constructor(confirm: Confirm, index: number) {
    this.#confirm = confirm;
    this.#index = index;
  }

  get id(): string {
    return this.#earlier ?? this.#confirm.idPrefix + this.#index;
  }

  /** Whether a message with the same dedup key was there before; `id` is then that one's. */
  get duplicate(): boolean {
    return this.#earlier !== undefined;
  }

  /** Journal position of the frame. */
  get position(): number {
    return this.#confirm.position;
  }

  /** Of a topic: to how many queues and streams messages of the frame went. */
  get routed(): number | undefined {
    return this.#confirm.routed;
  }

  /** Lets whoever has it watch this one message's state, never its body. Undefined for a duplicate: only its first producer has one. */
  get watch(): string | undefined {
    const { watchKey } = this.#confirm;
    return watchKey === undefined || this.duplicate ? undefined : capability(watchKey, this.#index);
  }

  get #earlier(): string | undefined {
    const id = this.#confirm.duplicates?.[this.#index];
    return typeof id === "string" ? id : undefined;
  }

  toJSON(): { id: string; watch: string | undefined; duplicate: boolean; routed?: number } {
    const { id, watch, duplicate, routed } = this;
    return { id, watch, duplicate, ...(routed === undefined ? {} : { routed }) };
  }
}
