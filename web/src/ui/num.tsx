import type { ReactNode } from "react";
import { count } from "../format/number.js";

interface Props {
  readonly value: number | null;
  /** Not shown where the window is narrow. */
  readonly lesser?: boolean;
}

/** A cell with a count: quiet for nothing, a dash for what the engine cannot tell. */
export function Num({ value, lesser = false }: Props): ReactNode {
  const quiet = value === 0 || value === null;
  return (
    <td
      className={`num${quiet ? " zero" : ""}${lesser ? " lesser" : ""}`}
      title={value === null ? "The engine cannot tell" : undefined}
    >
      {count(value)}
    </td>
  );
}
