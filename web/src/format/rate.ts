/** Messages a second: `0/s`, `0.4/s`, `12/s`, `1.2k/s`, `1.5M/s`. */
export function rate(value: number): string {
  if (value <= 0) return "0/s";
  if (value < 0.05) return "<0.1/s";
  if (value < 9.95) return `${trim(value.toFixed(1))}/s`;
  if (value < 999.5) return `${Math.round(value)}/s`;
  if (value < 999_500) return `${trim((value / 1_000).toFixed(value < 9_950 ? 1 : 0))}k/s`;
  return `${trim((value / 1_000_000).toFixed(1))}M/s`;
}

function trim(text: string): string {
  return text.replace(/\.0$/, "");
}
