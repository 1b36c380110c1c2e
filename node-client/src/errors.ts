/**
 * The errors of Postroad, by their stable code (docs/protocol.md §1.3).
 *
 * Every promise that the client rejects is rejected with one of these, except that an aborted call
 * is rejected with its signal's reason.
 *
 * ```
 * PostroadError
 *  ├ InvalidRequest  InvalidName  InvalidState          the caller broke the contract
 *  ├ NotAuthenticated  NotAllowed                       the token
 *  ├ QueueNotFound  MessageNotFound  Unroutable  Gone  Conflict     the named thing
 *  ├ LeaseLost  AlreadySettled                          one delivery
 *  ├ OutcomeUnknown                                     it may or may not have happened
 *  ├ LimitExceeded  QueueFull  StorageFull              a bound was hit
 *  ├ Unsupported  Unavailable                           the engine
 *  ├ Corrupt  Internal                                  the broker
 *  └ InvalidMessage  CallFailed  CallTimeout            made by this client, with codes of its own
 * ```
 */

export interface ErrorRow {
  readonly costs: "the request" | "the connection" | "that delivery";
  readonly retryable: "no" | "yes" | "after a pause";
  readonly http: readonly number[];
}

const row = (
  http: number | readonly number[],
  retryable: ErrorRow["retryable"] = "no",
  costs: ErrorRow["costs"] = "the request",
): ErrorRow => ({
  costs,
  retryable,
  http: typeof http === "number" ? [http] : http,
});

/** The table of docs/protocol.md §1.3. */
export const ERRORS = {
  "invalid-request": row(400),
  "invalid-name": row(400),
  "invalid-state": row(409),
  "not-authenticated": row(401, "no", "the connection"),
  "not-allowed": row(403),
  "queue-not-found": row(404),
  "message-not-found": row(404),
  unroutable: row(404),
  gone: row(410),
  conflict: row(409),
  "lease-lost": row(409, "no", "that delivery"),
  "already-settled": row(409, "no", "that delivery"),
  "outcome-unknown": row(409),
  "limit-exceeded": row([413, 429], "after a pause"),
  "queue-full": row(429, "yes"),
  "storage-full": row(507, "yes"),
  unsupported: row(501),
  unavailable: row(503, "yes"),
  corrupt: row(500),
  internal: row(500),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorExtras {
  /** Whether the same request may succeed later. Default: what the table says. */
  readonly retryable?: boolean;
  /** Further fields of the error reply, such as `limit` and `value`, as they came. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

export class PostroadError extends Error {
  /** The stable code. A newer server may send one that is not in {@link ErrorCode}. */
  readonly code: ErrorCode | (string & {});
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode | (string & {}), message: string, extras: ErrorExtras = {}) {
    super(message, "cause" in extras ? { cause: extras.cause } : undefined);
    this.name = new.target.name;
    this.code = code;
    const known: ErrorRow | undefined = Object.hasOwn(ERRORS, code) ? ERRORS[code as ErrorCode] : undefined;
    this.retryable = extras.retryable ?? (known !== undefined && known.retryable !== "no");
    this.details = Object.freeze({ ...extras.details });
  }
}

const define = (code: ErrorCode) =>
  class extends PostroadError {
    constructor(message: string, extras?: ErrorExtras) {
      super(code, message, extras);
    }
  };

export class InvalidRequest extends define("invalid-request") {}
export class InvalidName extends define("invalid-name") {}
export class InvalidState extends define("invalid-state") {}
export class NotAuthenticated extends define("not-authenticated") {}
export class NotAllowed extends define("not-allowed") {}
export class QueueNotFound extends define("queue-not-found") {}
export class MessageNotFound extends define("message-not-found") {}
export class Unroutable extends define("unroutable") {}
export class Gone extends define("gone") {}
export class Conflict extends define("conflict") {}
export class LeaseLost extends define("lease-lost") {}
export class AlreadySettled extends define("already-settled") {}
export class OutcomeUnknown extends define("outcome-unknown") {}
export class LimitExceeded extends define("limit-exceeded") {}
export class QueueFull extends define("queue-full") {}
export class StorageFull extends define("storage-full") {}
export class Unsupported extends define("unsupported") {}
export class Unavailable extends define("unavailable") {}
export class Corrupt extends define("corrupt") {}
export class Internal extends define("internal") {}

const CLASSES: Record<ErrorCode, new (message: string, extras?: ErrorExtras) => PostroadError> = {
  "invalid-request": InvalidRequest,
  "invalid-name": InvalidName,
  "invalid-state": InvalidState,
  "not-authenticated": NotAuthenticated,
  "not-allowed": NotAllowed,
  "queue-not-found": QueueNotFound,
  "message-not-found": MessageNotFound,
  unroutable: Unroutable,
  gone: Gone,
  conflict: Conflict,
  "lease-lost": LeaseLost,
  "already-settled": AlreadySettled,
  "outcome-unknown": OutcomeUnknown,
  "limit-exceeded": LimitExceeded,
  "queue-full": QueueFull,
  "storage-full": StorageFull,
  unsupported: Unsupported,
  unavailable: Unavailable,
  corrupt: Corrupt,
  internal: Internal,
};

/** The error that an `error` or `end` frame speaks of. */
export function errorFrom(frame: Readonly<Record<string, unknown>>): PostroadError {
  const { op: _op, id: _id, sub: _sub, code, message, retryable, ...details } = frame;
  const text = typeof message === "string" ? message : "The server gave no message.";
  const extras: ErrorExtras = typeof retryable === "boolean" ? { retryable, details } : { details };
  if (typeof code !== "string") return new Internal(text, extras);
  return Object.hasOwn(CLASSES, code)
    ? new CLASSES[code as ErrorCode](text, extras)
    : new PostroadError(code, text, extras);
}

/** Any thrown value as one of our errors. */
export function asPostroadError(thrown: unknown): PostroadError {
  if (thrown instanceof PostroadError) return thrown;
  return new Internal(thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown });
}
