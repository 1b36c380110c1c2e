/** Settings as a form shows them: each as a text, and back to what the broker takes. */
import { exactBytes, exactDuration, parseBytes, parseDuration } from "../../format/parse.js";

export type SettingKind = "duration" | "bytes" | "count" | "name" | "flag" | "choice";

export interface SettingField {
  readonly name: string;
  readonly label: string;
  readonly kind: SettingKind;
  readonly min?: number;
  readonly max?: number;
  /** What an empty field means, where it may be empty. */
  readonly none?: string;
  readonly choices?: readonly (readonly [string, string])[];
  /** The flag that must be on for it to mean anything. */
  readonly needs?: string;
}

const DAY_MS = 86_400_000;

/** docs/protocol.md §3. */
export const QUEUE_FIELDS: readonly SettingField[] = [
  { name: "leaseMs", label: "Lease", kind: "duration", min: 100, max: DAY_MS / 2 },
  { name: "attemptsMax", label: "Attempts", kind: "count", min: 1, max: 1_000 },
  { name: "backoffMs", label: "Backoff, doubling", kind: "duration", min: 0, max: DAY_MS },
  { name: "backoffMaxMs", label: "Longest backoff", kind: "duration", min: 0, max: DAY_MS },
  { name: "deadLetter", label: "Dead letters go to", kind: "name", none: "nowhere: dropped" },
  { name: "expireMs", label: "Expire after", kind: "duration", min: 1, none: "never" },
  { name: "concurrencyMax", label: "Leased at once", kind: "count", min: 1, max: 1_000_000, none: "no limit" },
  { name: "rateMax", label: "Deliveries a second", kind: "count", min: 1, max: 10_000_000, none: "no limit" },
  { name: "lengthMax", label: "Most messages", kind: "count", min: 1, none: "no limit" },
  { name: "bytesMax", label: "Most bytes", kind: "bytes", min: 1, none: "no limit" },
  {
    name: "overflow",
    label: "When full",
    kind: "choice",
    choices: [
      ["reject", "refuse the publish"],
      ["drop_oldest", "drop the oldest"],
      ["dead_letter", "dead-letter the oldest"],
    ],
  },
];

/** docs/protocol.md §3.1. */
export const STREAM_FIELDS: readonly SettingField[] = [
  { name: "retentionMs", label: "Keep for", kind: "duration", min: 1, none: "for ever" },
  { name: "retentionBytes", label: "Keep at most, bytes", kind: "bytes", min: 1, none: "any size" },
  { name: "retentionCount", label: "Keep at most, messages", kind: "count", min: 1, none: "any number" },
  { name: "keepUntilAcked", label: "Keep until every group has settled it", kind: "flag" },
  { name: "compaction", label: "Compaction: keep the newest message of each key", kind: "flag" },
  { name: "tombstoneMs", label: "Keep tombstones for", kind: "duration", min: 0, needs: "compaction" },
];

export type Values = Readonly<Record<string, unknown>>;
export type Texts = Readonly<Record<string, string>>;

/** The text of a setting; empty for none. */
export function textOf({ kind }: SettingField, value: unknown): string {
  if (value === null || value === undefined) return "";
  if (kind === "duration") return exactDuration(Number(value));
  if (kind === "bytes") return exactBytes(Number(value));
  return String(value);
}

export type Parsed = { readonly value: unknown } | { readonly error: string };

/** What the broker is told for a text. */
export function parsedOf(field: SettingField, text: string): Parsed {
  const { kind, none, min = 0, max = Number.MAX_SAFE_INTEGER } = field;
  if (text.trim() === "") return none === undefined ? { error: "Needed." } : { value: null };
  if (kind === "flag") return { value: text === "true" };
  if (kind === "name" || kind === "choice") return { value: text.trim() };
  const number =
    kind === "duration" ? parseDuration(text) : kind === "bytes" ? parseBytes(text) : whole(text.replaceAll(",", ""));
  if (number === null)
    return {
      error: kind === "duration" ? "Such as 30 s, 5 min, 7 d." : kind === "bytes" ? "Such as 64 MiB." : "A number.",
    };
  const shown = (value: number): string => textOf(field, value);
  if (number < min) return { error: `At least ${shown(min)}.` };
  return number > max ? { error: `At most ${shown(max)}.` } : { value: number };
}

const whole = (text: string): number | null => (/^\s*\d+\s*$/.test(text) ? Number(text) : null);

/** Only what differs: settings that are not named stay as they are. */
export function changes(fields: readonly SettingField[], was: Values, texts: Texts): Values {
  const changed: Record<string, unknown> = {};
  for (const field of fields) {
    const text = texts[field.name] ?? "";
    if (text === textOf(field, was[field.name])) continue;
    const parsed = parsedOf(field, text);
    if ("value" in parsed && parsed.value !== (was[field.name] ?? null)) changed[field.name] = parsed.value;
  }
  return changed;
}
