/** Rules for names (docs/protocol.md §1.4). */
import { InvalidName } from "./errors.js";

const NAME = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/;

/** @throws InvalidName */
export function checkName(kind: "queue" | "stream" | "group" | "topic" | "schedule", name: string): string {
  const max = kind === "topic" ? 200 : 75;
  if (name.length <= max && NAME.test(name)) return name;
  throw new InvalidName(
    `"${name.slice(0, 80)}" is not a ${kind} name: 1 to ${max} of a-z 0-9 . _ -, no dot at the ends or doubled.`,
  );
}
