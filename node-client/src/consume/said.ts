/** Log lines of a subscription's handlers on their way: gathered for a moment, and bounded while there is no connection. */
import { cut } from "../protocol/text.js";
import type { LogLevel } from "./message.js";

export interface SaidLine {
  readonly number: number;
  readonly text: string;
  readonly level: LogLevel;
}

export const TEXT_MAX = 2_000;
const GATHER_MS = 50;
/** Lines that are sent at once, without waiting for more. */
const MANY = 100;
/** Lines that wait for a connection; the oldest go first. */
const WAITING_MAX = 1_000;

export class Said {
  readonly #flush: () => void;
  #lines: SaidLine[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isDue = false;

  constructor(flush: () => void) {
    this.#flush = flush;
  }

  get isEmpty(): boolean {
    return this.#lines.length === 0;
  }

  /** Whether they are to be sent even if nothing else is. */
  get isDue(): boolean {
    return this.#isDue && !this.isEmpty;
  }

  add({ number, text, level }: SaidLine): void {
    this.#lines.push({ number, text: cut(text, TEXT_MAX), level });
    if (this.#lines.length > WAITING_MAX) this.#lines.splice(0, this.#lines.length - WAITING_MAX);
    if (this.#lines.length === MANY) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), GATHER_MS);
  }

  take(): readonly SaidLine[] {
    const lines = this.#lines;
    this.clear();
    return lines;
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isDue = false;
    this.#lines = [];
  }

  #send(): void {
    this.#isDue = true;
    this.#flush();
  }
}
