/** All `consume` subscriptions of a test broker. */
import { InvalidRequest } from "../../errors.js";
import type { Header } from "../../protocol/frame.js";
import type { TestGroup } from "./group.js";
import type { Entry } from "./message.js";
import type { TestStore } from "./store.js";
import { type TestConnection, TestSubscriber } from "./subscriber.js";

/** A lease outlives its connection by this. */
const RESUME_MS = 500;

export class Subscribers {
  readonly #store: TestStore;
  readonly #all = new Map<string, TestSubscriber>();
  #count = 0;

  constructor(store: TestStore) {
    this.#store = store;
  }

  /** Whether somebody works, or could. */
  get areBusy(): boolean {
    return [...this.#all.values()].some(
      ({ group, leased, connection, isCancelled }) =>
        leased.size > 0 || (connection !== undefined && !isCancelled && group.hasReady),
    );
  }

  open(connection: TestConnection, header: Header): Header {
    const { queue, stream, group: name, from, resume } = header;
    const declare = header["declare"] !== false;
    const group =
      typeof stream === "string"
        ? this.#store.group(stream, String(name), declare, from)
        : this.#store.queue(String(queue), declare);
    const before = typeof resume === "string" ? this.#all.get(resume) : undefined;
    const subscriber = before ?? new TestSubscriber(`s${++this.#count}`, group, connection, header);
    const lost = subscriber.resume(connection, header);
    this.#all.set(subscriber.id, subscriber);
    return {
      ...{ subscription: subscriber.id, lease_ms: group.settings.lease_ms },
      ...(lost.length > 0 ? { lost } : {}),
    };
  }

  /** @throws InvalidRequest */
  get(connection: TestConnection, { sub }: Header): TestSubscriber {
    for (const subscriber of this.#all.values())
      if (subscriber.connection === connection && subscriber.sub === sub) return subscriber;
    throw new InvalidRequest("There is no such subscription.", { details: { field: "sub" } });
  }

  /** How many consume a group now. */
  of(group: TestGroup): number {
    return [...this.#all.values()].filter(
      (one) => one.group === group && one.connection !== undefined && !one.isCancelled,
    ).length;
  }

  cancel(subscriber: TestSubscriber): void {
    subscriber.isCancelled = true;
    for (const [number, entry] of [...subscriber.leased])
      if (number > subscriber.begun) {
        subscriber.leased.delete(number);
        subscriber.group.release(entry);
      }
  }

  /** Its connection is gone. */
  orphan(connection: TestConnection): void {
    for (const subscriber of this.#all.values())
      if (subscriber.connection === connection) {
        subscriber.connection = undefined;
        subscriber.endsAt = this.#store.now + RESUME_MS;
      }
  }

  /** Its group is gone. */
  end(groups: ReadonlySet<TestGroup>): void {
    for (const [id, { group, sub, connection }] of [...this.#all]) {
      if (!groups.has(group)) continue;
      this.#all.delete(id);
      connection?.send({ op: "end", sub, code: "queue-not-found", message: "It was deleted.", retryable: false });
    }
  }

  revoke(entry: Entry, reason: string): void {
    for (const subscriber of this.#all.values()) subscriber.revoke(entry, reason);
  }

  /** Ends the leases of a queue or group, and counts an attempt for what had begun. */
  expire(name: string): void {
    for (const subscriber of this.#all.values()) {
      if (subscriber.group.name !== name) continue;
      const { tried, leased, group } = subscriber;
      for (const [number, entry] of [...leased]) {
        subscriber.revoke(entry, "the lease ended");
        if (number <= tried) this.#store.fail(group, entry, { reason: "the lease ended" });
        else group.release(entry);
      }
    }
  }

  nextDue(): number | undefined {
    const ends = [...this.#all.values()].flatMap(({ endsAt }) => endsAt ?? []);
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  /** Gives back what nobody came back for. */
  tick(): void {
    for (const [id, subscriber] of [...this.#all])
      if (subscriber.endsAt !== undefined && subscriber.endsAt <= this.#store.now) {
        subscriber.endLeases(this.#store, "the connection was lost");
        this.#all.delete(id);
      }
  }

  pump(): void {
    for (const subscriber of this.#all.values()) subscriber.pump(this.#store.now);
  }
}
