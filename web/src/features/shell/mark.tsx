import type { ReactNode } from "react";

/** The road that mail travels, between two milestones. */
export function Mark({ size = 28 }: { size?: number }): ReactNode {
  return (
    <svg className="mark" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="#FFC61A" />
      <g fill="none" stroke="#1B1F2A" strokeWidth="3" strokeLinecap="round" strokeLinejoin="round">
        <path d="M8 8v16" />
        <path d="M24 8v16" />
        <path d="M8 22c7 0 9-12 16-12" strokeDasharray="4.5 4.2" />
      </g>
    </svg>
  );
}
