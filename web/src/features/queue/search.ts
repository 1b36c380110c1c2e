import type { SearchOptions } from "postroad";

/** What a search looks at. */
export const SEARCHED = ["body", "header", "key"] as const;
export type Searched = (typeof SEARCHED)[number];

export interface Search {
  readonly within: Searched;
  readonly text: string;
}

/** The query's fields for what was typed; null for nothing, or for a header without a value. */
export function searchFields({ within, text }: Search): Omit<SearchOptions, "state"> | null {
  const wanted = text.trim();
  if (wanted === "") return null;
  if (within === "body") return { text: wanted };
  if (within === "key") return { key: wanted };
  const at = wanted.search(/[:=]/);
  return at < 1 ? null : { headers: { [wanted.slice(0, at).trim()]: wanted.slice(at + 1).trim() } };
}
