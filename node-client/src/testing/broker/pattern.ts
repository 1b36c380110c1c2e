import { InvalidName } from "../../errors.js";

/** @throws InvalidName if it is not words of `a-z 0-9 _ -`, `*` or `#` between dots, with at most 8 `#`. */
export function checkPattern(pattern: string): string {
  const words = pattern.split(".");
  const isOne =
    pattern.length <= 200 &&
    words.every((word) => /^([a-z0-9_-]+|\*|#)$/.test(word)) &&
    words.filter((word) => word === "#").length <= 8;
  if (!isOne) throw new InvalidName(`"${pattern.slice(0, 80)}" is no pattern.`);
  return pattern;
}

/** Whether a topic matches a pattern: `*` is one word, `#` any number of words, also none (tests/vectors/patterns.json). */
export function matches(pattern: string, topic: string): boolean {
  const words = topic.split(".");
  let reached = new Set([0]);
  for (const wanted of pattern.split(".")) {
    const next = new Set<number>();
    for (const at of reached) {
      if (wanted === "#") for (let to = at; to <= words.length; to++) next.add(to);
      else if (at < words.length && (wanted === "*" || wanted === words[at])) next.add(at + 1);
    }
    reached = next;
  }
  return reached.has(words.length);
}
