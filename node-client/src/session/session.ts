/**
 * The states of a client, without socket and clock.
 *
 * ```
 * connecting ──welcome──▶ open ──drain──▶ draining
 *     │                    │                  │
 *     └──lost──▶ reconnecting ◀──lost─────────┘      (a welcome leads back to open)
 *     any ──close, or a loss that no retry can cure──▶ closed
 * ```
 */
import { Internal, NotAuthenticated, type PostroadError, Unavailable } from "../errors.js";
import type { Welcome } from "../protocol/types.js";
import { type Backoff, backoffMs } from "./backoff.js";

export type Status = "connecting" | "open" | "reconnecting" | "draining" | "closed";

export type AfterLoss =
  | { readonly kind: "retry"; readonly afterMs: number }
  | { readonly kind: "stop"; readonly error: PostroadError };

export interface Opening {
  readonly welcome: Welcome;
  /** Whether the server knows what this client did before. False at the first welcome and after a change of `store`. */
  readonly known: boolean;
  readonly first: boolean;
  /** How long there was no connection. */
  readonly downMs: number;
}

export class Session {
  status: Status = "connecting";
  welcome: Welcome | undefined;
  /** Why the last connection ended. */
  lastError: PostroadError | undefined;
  #attempt = 0;
  #lostAt: number | undefined;
  readonly #backoff: Backoff;
  readonly #renewsTokens: boolean;

  constructor(backoff: Backoff, renewsTokens: boolean) {
    this.#backoff = backoff;
    this.#renewsTokens = renewsTokens;
  }

  welcomed(welcome: Welcome, now: number): Opening {
    const before = this.welcome;
    const downMs = this.#lostAt === undefined ? 0 : now - this.#lostAt;
    this.welcome = welcome;
    this.status = "open";
    this.lastError = undefined;
    this.#attempt = 0;
    this.#lostAt = undefined;
    return {
      welcome,
      first: before === undefined,
      known: before !== undefined && before.store === welcome.store,
      downMs,
    };
  }

  drained(): void {
    if (this.status === "open") this.status = "draining";
  }

  /**
   * The connection ended. Close codes decide as in docs/protocol.md §1.3.
   *
   * @param refused - the error with which `hello` was answered, if it was.
   */
  lost(
    code: number,
    reason: string,
    cause: unknown,
    refused: PostroadError | undefined,
    now: number,
    random: number,
  ): AfterLoss {
    this.#lostAt ??= now;
    const error = refused ?? lossError(code, reason, cause);
    this.lastError = error;
    const mayRetry =
      error instanceof NotAuthenticated
        ? this.#renewsTokens
        : refused === undefined
          ? !FATAL.has(code)
          : error.retryable;
    if (!mayRetry) {
      this.status = "closed";
      return { kind: "stop", error };
    }
    if (this.status !== "connecting") this.status = "reconnecting";
    return { kind: "retry", afterMs: backoffMs(this.#backoff, this.#attempt++, random) };
  }

  closed(): void {
    this.status = "closed";
  }
}

/** Codes with which a server says that this client is wrong, and would be again. */
const FATAL: ReadonlySet<number> = new Set([1002, 1007, 1009]);

function lossError(code: number, reason: string, cause: unknown): PostroadError {
  const text = reason === "" ? `The connection was lost (${code}).` : `The connection was lost (${code}): ${reason}`;
  const extras = { cause, details: { closeCode: code } };
  if (code === 1008) return new NotAuthenticated(text, extras);
  return FATAL.has(code) ? new Internal(text, extras) : new Unavailable(text, extras);
}
