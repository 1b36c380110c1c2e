import { useEffect } from "react";

/** The keys of the console, as the help shows them. */
export const KEYS: readonly (readonly [string, string])[] = [
  ["⌘K or Ctrl K", "Go to a queue, a message, a page"],
  ["/", "Search on this page"],
  ["j, k", "Next row, previous row"],
  ["Enter", "Open the row"],
  ["p", "Pause or resume the queue"],
  ["r", "Redrive the selected dead letters"],
  ["?", "This list"],
  ["Esc", "Close"],
];

interface Actions {
  readonly palette: () => void;
  readonly help: () => void;
}

/** Whether a key press belongs to something that is being typed. */
function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

/** Moves the focus among the page's rows; a row is whatever carries `data-row`. */
function step(by: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>("main [data-row]")];
  const at = rows.indexOf(document.activeElement as HTMLElement);
  const next = at === -1 ? (by === 1 ? 0 : rows.length - 1) : at + by;
  rows[Math.min(Math.max(next, 0), rows.length - 1)]?.focus();
}

/** The page-wide keys. Buttons name theirs by `data-key`, the search field by `data-search`. */
export function useKeys({ palette, help }: Actions): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        palette();
        return;
      }
      if (event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target)) return;
      if (document.querySelector("dialog[open]") !== null) return;
      if (event.key === "j") step(1);
      else if (event.key === "k") step(-1);
      else if (event.key === "?") help();
      else if (event.key === "/") {
        event.preventDefault();
        const search = document.querySelector<HTMLElement>("main [data-search]");
        if (search === null) palette();
        else search.focus();
      } else
        document.querySelector<HTMLButtonElement>(`main [data-key="${CSS.escape(event.key)}"]:not(:disabled)`)?.click();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [palette, help]);
}
