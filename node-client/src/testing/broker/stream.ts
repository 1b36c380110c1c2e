import type { Header } from "../../protocol/frame.js";
import { isRecord } from "../../protocol/frame.js";
import type { TestGroup } from "./group.js";
import type { TestMessage } from "./message.js";

export interface TestStreamSettings {
  retention_ms: number | null;
  retention_bytes: null;
  retention_count: number | null;
  keep_until_acked: false;
  compaction: false;
  tombstone_ms: number;
}

/** A kept log with its groups. */
export class TestStream {
  readonly name: string;
  readonly settings: TestStreamSettings;
  readonly groups = new Map<string, TestGroup>();
  earliest = 0;
  /** Message of offset `earliest + i`. */
  readonly kept: TestMessage[] = [];

  constructor(name: string, settings: TestStreamSettings) {
    this.name = name;
    this.settings = settings;
  }

  get next(): number {
    return this.earliest + this.kept.length;
  }

  at(offset: number): TestMessage | undefined {
    return this.kept[offset - this.earliest];
  }

  add(message: TestMessage): void {
    const offset = this.next;
    this.kept.push(message);
    for (const group of this.groups.values()) group.add(message, offset);
  }

  /** Lets go what is too old or too much; what a group loses by it is counted. */
  trim(now: number): void {
    const { retention_ms, retention_count } = this.settings;
    for (;;) {
      const [first] = this.kept;
      if (first === undefined) return;
      const isOld = retention_ms !== null && first.publishedAt + retention_ms < now;
      if (!isOld && (retention_count === null || this.kept.length <= retention_count)) return;
      this.kept.shift();
      for (const group of this.groups.values()) if (group.entries.delete(this.earliest)) group.trimmed++;
      this.earliest++;
    }
  }

  /** The offset that `from` or `to` means. */
  offsetOf(from: unknown): number {
    if (from === "earliest") return this.earliest;
    if (isRecord(from)) {
      const { offset, at, last } = from;
      if (typeof offset === "number") return Math.min(offset, this.next);
      if (typeof last === "number") return Math.max(this.earliest, this.next - last);
      const index = typeof at === "number" ? this.kept.findIndex(({ publishedAt }) => publishedAt >= at) : -1;
      return index < 0 ? this.next : this.earliest + index;
    }
    return this.next;
  }

  /** Fills a group that begins at an offset. */
  fill(group: TestGroup, from: number): void {
    group.entries.clear();
    for (let offset = Math.max(from, this.earliest); offset < this.next; offset++) {
      const message = this.at(offset);
      if (message !== undefined) group.add(message, offset);
    }
  }

  committed(group: TestGroup): number {
    return Math.min(this.next, ...group.entries.keys());
  }

  stats(groups: readonly Header[], now: number): Header {
    const [first] = this.kept;
    return {
      name: this.name,
      earliest: this.earliest,
      next: this.next,
      messages: this.kept.length,
      bytes: this.kept.reduce((sum, { body }) => sum + body.length, 0),
      oldest_ms: first === undefined ? null : now - first.publishedAt,
      settings: this.settings,
      groups,
    };
  }
}
