import { simpleParser } from "mailparser";
import { SMTPServer } from "smtp-server";
import type { Mail } from "./mailbox.js";
import { LOOPBACK, portOf } from "./process.js";

/** `up` takes letters, `down` answers 421, `slow` takes them after a few seconds. */
export type Mode = "up" | "down" | "slow";
export const MODES: readonly Mode[] = ["up", "down", "slow"];

const LETTER_BYTES_MAX = 262_144;
const SLOW_MS = 3_000;

/** A mail server on loopback that hands every letter to `caught` and can be broken. */
export class Smtp {
  mode: Mode = "up";
  readonly #server: SMTPServer;

  constructor(caught: (mail: Omit<Mail, "id">) => void) {
    this.#server = new SMTPServer({
      authOptional: true,
      disabledCommands: ["AUTH", "STARTTLS"],
      disableReverseLookup: true,
      size: LETTER_BYTES_MAX,
      onMailFrom: (_address, _session, done) => done(this.#refusal()),
      onData: (stream, session, done) => {
        simpleParser(stream).then(
          (parsed) => {
            const refusal = this.#refusal();
            if (refusal !== null) return done(refusal);
            const mail = {
              at: Date.now(),
              from: parsed.from?.text ?? "",
              to: session.envelope.rcptTo.map((to) => to.address).join(", "),
              subject: parsed.subject ?? "",
              text: parsed.text ?? "",
              html: parsed.html ? parsed.html : null,
              message: header(parsed.headers.get("x-postroad-id")),
            };
            setTimeout(
              () => {
                caught(mail);
                done();
              },
              this.mode === "slow" ? SLOW_MS : 0,
            );
          },
          (error: Error) => done(error),
        );
      },
    });
    // A client that goes away in the middle of a letter is its own business.
    this.#server.on("error", (error) => console.error(`smtp: ${error.message}`));
  }

  async listen(port: number): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(port, LOOPBACK, resolve));
    return portOf(this.#server.server);
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #refusal(): (Error & { responseCode: number }) | null {
    if (this.mode !== "down") return null;
    return Object.assign(new Error("The mail server is broken"), { responseCode: 421 });
  }
}

function header(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
