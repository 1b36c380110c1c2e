const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** A count, exact: `12,408`. */
export function count(value: number): string {
  return WHOLE.format(value);
}

/** A count with its word: `1 message`, `2 messages`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}
