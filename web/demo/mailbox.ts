import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** One caught letter, as the HTTP API shows it. */
export interface Mail {
  /** Counts up from 1; the cursor of `after`. */
  readonly id: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string | null;
  /** The message that asked for the letter: its `X-Postroad-Id` header. */
  readonly message: string | null;
}

/** How many letters are kept; older ones are thrown away. */
export const MAILS_MAX = 2_000;

/**
 * The caught letters: in memory, bounded, and in a file of JSON lines that the next start reads.
 * The file is rewritten when it holds twice what is kept.
 */
export class Mailbox {
  readonly #file: string | null;
  readonly #max: number;
  #mails: Mail[] = [];
  #lines = 0;
  #last = 0;

  constructor(folder: string | null, max = MAILS_MAX) {
    this.#max = max;
    this.#file = folder === null ? null : join(folder, "mails.jsonl");
    if (folder === null || this.#file === null) return;
    mkdirSync(folder, { recursive: true });
    if (existsSync(this.#file)) this.#load(readFileSync(this.#file, "utf8"));
  }

  /** How many letters were ever caught; survives restarts. */
  get total(): number {
    return this.#last;
  }

  add(mail: Omit<Mail, "id">): Mail {
    const kept: Mail = { id: ++this.#last, ...mail };
    this.#mails.push(kept);
    if (this.#mails.length > this.#max) this.#mails.shift();
    if (this.#file !== null) {
      appendFileSync(this.#file, `${JSON.stringify(kept)}\n`);
      if (++this.#lines >= this.#max * 2) this.#rewrite(this.#file);
    }
    return kept;
  }

  get(id: number): Mail | undefined {
    return this.#mails.find((mail) => mail.id === id);
  }

  /** At most `limit` letters newer than `after`, oldest first; without `after` the newest ones. */
  list(after: number | null, limit: number): readonly Mail[] {
    if (after === null) return this.#mails.slice(-limit);
    return this.#mails.filter((mail) => mail.id > after).slice(0, limit);
  }

  #load(text: string): void {
    for (const line of text.split("\n")) {
      try {
        if (line !== "") this.#mails.push(JSON.parse(line) as Mail);
        if (line !== "") this.#lines++;
      } catch {
        // The last line of a killed process may be cut short; a demo letter is not worth more than leaving it out.
      }
    }
    this.#mails = this.#mails.slice(-this.#max);
    this.#last = this.#mails.at(-1)?.id ?? 0;
    if (!text.endsWith("\n") && text !== "" && this.#file !== null) this.#rewrite(this.#file);
  }

  #rewrite(file: string): void {
    writeFileSync(`${file}.new`, this.#mails.map((mail) => `${JSON.stringify(mail)}\n`).join(""));
    renameSync(`${file}.new`, file);
    this.#lines = this.#mails.length;
  }
}
