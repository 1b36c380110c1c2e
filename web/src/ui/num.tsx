import type { ReactNode } from "react";
import { count } from "../format/number.js";

/** A cell with a count: quiet for nothing, a dash for what the engine cannot tell. */
export function Num({ value }: { value: number | null }): ReactNode {
  return (
    <td
      className={value === 0 || value === null ? "num zero" : "num"}
      title={value === null ? "The engine cannot tell" : undefined}
    >
      {count(value)}
    </td>
  );
}
