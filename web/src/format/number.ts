const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** What is shown for a number that the engine cannot tell. */
export const UNKNOWN = "–";

/** A count, exact: `12,408`; a dash for one that the engine cannot tell. */
export function count(value: number | null): string {
  return value === null ? UNKNOWN : WHOLE.format(value);
}

/** A count with its word: `1 message`, `2 messages`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}
