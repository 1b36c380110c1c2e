import type { Internals } from "./internals.js";
import { checkName } from "./names.js";
import { fromWire } from "./protocol/case.js";
import { type InlineOptions, inlineMessage } from "./publish/inline.js";
import { type Named, nameOf } from "./schema/define.js";

type When =
  | {
      /** Five fields, such as `0 3 * * *`. */
      readonly cron: string;
      readonly everyMs?: never;
      /** Of the cron's times. @defaultValue `"UTC"` */
      readonly zone?: string;
    }
  | { /** At least 1,000. */ readonly everyMs: number; readonly cron?: never; readonly zone?: never };

type Where =
  | { readonly queue: Named; readonly stream?: never; readonly topic?: never }
  | { readonly stream: Named; readonly queue?: never; readonly topic?: never }
  | { readonly topic: Named; readonly queue?: never; readonly stream?: never };

/** What is published when, and where to. */
export type ScheduleSpec = When &
  Where & {
    /** At most 64 KiB. */
    readonly message: InlineOptions & { readonly body: unknown };
    /** Made, but not firing until it is resumed. */
    readonly paused?: boolean;
  };

export interface ScheduleInfo {
  readonly name: string;
  readonly cron: string | null;
  readonly everyMs: number | null;
  readonly zone: string;
  readonly queue?: string;
  readonly stream?: string;
  readonly topic?: string;
  readonly paused: boolean;
  /** Milliseconds since the epoch. */
  readonly nextAt: number | null;
  readonly lastAt: number | null;
  readonly fired: number;
  /** Why the last firing was refused; null once one has been published again. */
  readonly lastError: { readonly at: number; readonly code: string; readonly message: string } | null;
  readonly body: unknown;
}

/** Schedules: a restart of the broker neither forgets nor repeats a firing; what was missed fires once. */
export class Schedules {
  readonly #internals: Internals;

  /** @internal */
  constructor(internals: Internals) {
    this.#internals = internals;
  }

  /** Makes a schedule, or replaces the one of that name. */
  async declare(name: string, spec: ScheduleSpec): Promise<{ nextAt: number | null }> {
    const { message, queue, stream, topic, cron, everyMs, zone, paused } = spec;
    const { body, ...options } = message;
    const target =
      queue !== undefined
        ? { queue: nameOf(queue) }
        : stream !== undefined
          ? { stream: nameOf(stream) }
          : topic !== undefined
            ? { topic: nameOf(topic) }
            : {};
    const answer = await this.#internals.operate(
      "schedule",
      {
        schedule: checkName("schedule", name),
        cron,
        everyMs,
        zone,
        paused,
        ...target,
        message: inlineMessage(body, options),
      },
      // Making it twice is making it once.
      { repeat: true },
    );
    return { nextAt: typeof answer["next_at"] === "number" ? answer["next_at"] : null };
  }

  async list(): Promise<readonly ScheduleInfo[]> {
    return fromWire<{ schedules: ScheduleInfo[] }>(await this.#internals.query("schedules")).schedules;
  }

  /** Does not fire until it is resumed. */
  async pause(name: string): Promise<void> {
    await this.#internals.operate("schedule_pause", { schedule: name });
  }

  async resume(name: string): Promise<void> {
    await this.#internals.operate("schedule_resume", { schedule: name });
  }

  /** Fires now, besides its times. */
  async run(name: string): Promise<void> {
    await this.#internals.operate("schedule_run", { schedule: name });
  }

  async delete(name: string): Promise<void> {
    await this.#internals.operate("schedule_delete", { schedule: name });
  }
}
