/** Topic patterns and header filters by the broker's rules (docs/protocol.md §3.2). */

const WORD = /^(?:[a-z0-9_-]+|\*|#)$/;
const PATTERN_LENGTH_MAX = 200;
const HASHES_MAX = 8;

export interface HeaderFilter {
  readonly match?: "all" | "any";
  readonly values: Readonly<Record<string, string>>;
}

/** What is wrong with a text as a pattern, or null. */
export function patternError(text: string): string | null {
  if (text.length > PATTERN_LENGTH_MAX) return `At most ${PATTERN_LENGTH_MAX} characters.`;
  const words = text.split(".");
  if (!words.every((word) => WORD.test(word) && !word.endsWith("\n")))
    return "Words of a-z 0-9 _ - between dots; * is one word, # any number of words.";
  return words.filter((word) => word === "#").length > HASHES_MAX ? `At most ${HASHES_MAX} times #.` : null;
}

/** What is wrong with a text as a topic to publish to, or null. */
export function topicError(text: string): string | null {
  if (/[*#]/.test(text)) return "A topic has no * or #: those are for patterns.";
  return patternError(text);
}

/** Whether a topic matches a pattern, in time proportional to the product of their words. */
export function matches(pattern: string, topic: string): boolean {
  const words = topic.split(".");
  let reached = new Set([0]);
  for (const wanted of pattern.split(".")) {
    const next = new Set<number>();
    if (wanted === "#") for (let at = Math.min(...reached); at <= words.length; at++) next.add(at);
    else for (const at of reached) if (at < words.length && (wanted === "*" || wanted === words[at])) next.add(at + 1);
    if (next.size === 0) return false;
    reached = next;
  }
  return reached.has(words.length);
}

/** Whether message headers pass a binding's filter; without one everything does. */
export function fitsHeaders(
  filter: HeaderFilter | null | undefined,
  headers: Readonly<Record<string, string>>,
): boolean {
  const wanted = Object.entries(filter?.values ?? {});
  if (wanted.length === 0) return true;
  const fits = ([name, value]: [string, string]): boolean => headers[name] === value;
  return filter?.match === "any" ? wanted.some(fits) : wanted.every(fits);
}
