import { fitsHeaders, matches } from "../../format/pattern.js";
import type { Binding } from "../../live/types.js";

/** The kind and name of what a binding copies to. */
export const targetOf = (binding: Binding): { readonly kind: "queue" | "stream"; readonly name: string } =>
  binding.stream === undefined
    ? { kind: "queue", name: binding.queue ?? "" }
    : { kind: "stream", name: binding.stream };

/** A key that is a binding's own: the same pattern may lead to one target with several filters. */
export const bindingKey = (binding: Binding): string =>
  JSON.stringify([binding.topic, targetOf(binding), binding.headers ?? null]);

/** Bindings by pattern, patterns by name. */
export function byPattern(bindings: readonly Binding[]): readonly (readonly [string, readonly Binding[]])[] {
  const groups = groupBy(bindings, (binding) => binding.topic);
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The bindings that a message would follow; a target that several of them name gets one copy. */
export const followed = (
  bindings: readonly Binding[],
  topic: string,
  headers: Readonly<Record<string, string>>,
): readonly Binding[] =>
  bindings.filter((binding) => matches(binding.topic, topic) && fitsHeaders(binding.headers, headers));

/** Where a message would go: each target once, with the patterns that lead there. */
export function targets(
  bindings: readonly Binding[],
): readonly { readonly kind: "queue" | "stream"; readonly name: string; readonly patterns: readonly string[] }[] {
  const groups = groupBy(bindings, (binding) => targetOf(binding).name);
  return [...groups].map(([name, all]) => ({
    kind: all[0] === undefined ? "queue" : targetOf(all[0]).kind,
    name,
    patterns: [...new Set(all.map((binding) => binding.topic))],
  }));
}

function groupBy<T>(all: readonly T[], key: (one: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const name = key(one);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [one]);
    else group.push(one);
  }
  return groups;
}
