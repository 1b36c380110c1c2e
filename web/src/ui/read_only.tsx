import { Lock } from "lucide-react";
import type { ReactNode } from "react";
import "./read_only.css";

/** Says that what was tried here is not allowed, and why; nothing while nothing was refused. */
export function ReadOnly({ reason }: { reason: string | null }): ReactNode {
  return reason === null ? null : (
    <p className="read-only" role="note" aria-label="Read only">
      <Lock size={14} aria-hidden="true" /> <span>Read only here. {reason} Ask for a token that has it.</span>
    </p>
  );
}
