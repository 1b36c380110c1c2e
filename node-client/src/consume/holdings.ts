/** What a subscription holds, batch by batch: settling costs a counter, and only the rare questions walk. */
import type { Delivery } from "./delivery.js";
import type { DeliverBatch } from "./parse.js";

export class Holdings {
  #batches: { readonly batch: DeliverBatch; readonly deliveries: readonly Delivery[] }[] = [];

  add(batch: DeliverBatch, deliveries: readonly Delivery[]): void {
    // What was settled completely is let go when more comes, mostly from the front.
    if (this.#batches.length >= 16 || this.#batches[0]?.batch.held === 0)
      this.#batches = this.#batches.filter((one) => one.batch.held > 0);
    this.#batches.push({ batch, deliveries });
  }

  /** What is held, in the order of numbers as it came. */
  *held(): Generator<Delivery> {
    for (const { batch, deliveries } of this.#batches) {
      if (batch.held === 0) continue;
      for (const delivery of deliveries) if (delivery.isHeld) yield delivery;
    }
  }

  get isEmpty(): boolean {
    return this.#batches.every(({ batch }) => batch.held === 0);
  }

  clear(): Delivery[] {
    const all = [...this.held()];
    this.#batches = [];
    return all;
  }
}
