import { type FieldError, Problem } from "./problem.js";

/** The body of a message in the queue `emails`: someone who wants to join. */
export interface SignUp {
  readonly name: string;
  readonly email: string;
  /** Where the worker points the link of the welcome mail; `null` when nobody serves it. */
  readonly verify: string | null;
}

export const QUEUE = "emails";
export const NAME_CHARS_MAX = 80;
export const EMAIL_CHARS_MAX = 254;
export const BULK_MAX = 1_000;

/**
 * Reads a sign-up from a request body.
 *
 * @throws Problem `invalid-request` that lists every wrong field at once.
 */
export function parseSignUp(body: unknown): { name: string; email: string } {
  const { name, email } = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  const errors: FieldError[] = [];
  const cleanName = typeof name === "string" ? name.trim() : "";
  const cleanEmail = typeof email === "string" ? email.trim() : "";
  if (cleanName === "") errors.push({ field: "name", detail: "Tell us what to call you." });
  else if (cleanName.length > NAME_CHARS_MAX) {
    errors.push({ field: "name", detail: `At most ${NAME_CHARS_MAX} characters.` });
  } else if (/\p{Cc}/u.test(cleanName)) errors.push({ field: "name", detail: "No control characters, please." });
  if (cleanEmail === "") errors.push({ field: "email", detail: "Where shall the letter go?" });
  else if (cleanEmail.length > EMAIL_CHARS_MAX || !/^[^\s@<>,;:"()[\]\\]+@[^\s@<>,;:"()[\]\\]+$/.test(cleanEmail)) {
    errors.push({ field: "email", detail: "This does not look like an e-mail address." });
  }
  if (errors.length > 0) throw new Problem(400, "invalid-request", "The sign-up is not complete.", { errors });
  return { name: cleanName, email: cleanEmail };
}

/** Reads how many people a bulk sign-up asks for. */
export function parseCount(body: unknown): number {
  const count = (body as { count?: unknown } | null | undefined)?.count;
  if (typeof count !== "number" || !Number.isInteger(count) || count < 1 || count > BULK_MAX) {
    const detail = `A whole number from 1 to ${BULK_MAX}.`;
    throw new Problem(400, "invalid-request", detail, { errors: [{ field: "count", detail }] });
  }
  return count;
}

const FIRST = [
  "Ada",
  "Alan",
  "Barbara",
  "Claude",
  "Donald",
  "Edsger",
  "Frances",
  "Grace",
  "Hedy",
  "Joan",
  "Karen",
  "Leslie",
  "Margaret",
  "Niklaus",
  "Radia",
  "Tim",
];
const LAST = [
  "Allen",
  "Clarke",
  "Dijkstra",
  "Hamilton",
  "Hopper",
  "Knuth",
  "Lamarr",
  "Lamport",
  "Liskov",
  "Lovelace",
  "Perlman",
  "Shannon",
  "Turing",
  "Wirth",
];

/** The nth made-up person: always the same one, so that a test may count on it. */
export function person(n: number): { name: string; email: string } {
  const first = FIRST[n % FIRST.length] ?? "Ada";
  const last = LAST[(n * 5 + Math.floor(n / FIRST.length)) % LAST.length] ?? "Lovelace";
  return { name: `${first} ${last}`, email: `${first}.${last}.${n + 1}@example.org`.toLowerCase() };
}
