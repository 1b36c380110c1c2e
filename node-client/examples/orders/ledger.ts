/**
 * What a service has done, kept in a file. It stands for a table: the entry that says "charged" is the charge, so there
 * is no moment at which one is stored without the other. For one process at a time.
 */
import { fdatasyncSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { IdempotencyStore, Outcome } from "postroad";

export class Ledger implements IdempotencyStore {
  readonly #outcomes = new Map<string, Outcome>();
  readonly #file: number;

  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true });
    this.#file = openSync(path, "a");
    for (const line of readFileSync(path, "utf8").split("\n")) {
      if (line === "") continue;
      const { step, ...outcome } = JSON.parse(line) as Outcome & { readonly step: string };
      this.#outcomes.set(step, outcome);
    }
  }

  get(step: string): Outcome | undefined {
    return this.#outcomes.get(step);
  }

  set(step: string, outcome: Outcome): void {
    writeSync(this.#file, `${JSON.stringify({ step, ...outcome })}\n`);
    fdatasyncSync(this.#file);
    this.#outcomes.set(step, outcome);
  }

  results(): unknown[] {
    return Array.from(this.#outcomes.values(), ({ result }) => result);
  }
}
