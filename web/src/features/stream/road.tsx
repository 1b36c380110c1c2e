import type { ReactNode } from "react";
import { count } from "../../format/number.js";

/** Where a group is on its stream: a road from the earliest message to the end, travelled as far as it is drawn. */
export function Road({
  earliest,
  next,
  committed,
  label,
}: {
  earliest: number;
  next: number;
  committed: number;
  label: string;
}): ReactNode {
  const length = next - earliest;
  const part = length <= 0 ? 1 : Math.min(1, Math.max(0, (committed - earliest) / length));
  const at = 6 + part * 88;
  return (
    <svg
      className="group-road"
      viewBox="0 0 100 16"
      role="img"
      aria-label={`${label}: at ${count(committed)}, between ${count(earliest)} and ${count(next)}`}
    >
      <path className="road-ahead" d="M2 8H98" />
      <path className="road-behind" d={`M2 8H${at}`} />
      <path className="milestone" d="M2 4v8M98 4v8" />
      <circle cx={at} cy="8" r="4.5" />
    </svg>
  );
}
