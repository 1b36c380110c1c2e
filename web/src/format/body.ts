/** A body for reading: JSON indented, text as it is; cut at `max` characters. */
export function pretty(body: unknown, max = 20_000): string {
  const text = typeof body === "string" ? body : (JSON.stringify(body, null, 2) ?? "");
  return text.length > max ? `${text.slice(0, max)}\n… ${text.length - max} more characters` : text;
}

/** The first characters of a body on one line, for tables. */
export function preview(body: unknown, max = 120): string {
  const text = typeof body === "string" ? body : (JSON.stringify(body) ?? "");
  const line = text.slice(0, max * 2).replace(/\s+/g, " ");
  return line.length > max ? `${line.slice(0, max - 1)}…` : line;
}

/** What is wrong with a text as JSON, or null. */
export function jsonError(text: string): string | null {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
