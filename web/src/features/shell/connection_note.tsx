import type { ReactNode } from "react";
import { useLink } from "../../live/link.js";
import { Shape } from "../../ui/state.js";

const WORDS = {
  open: ["done", "Connected"],
  connecting: ["queued", "Connecting"],
  lost: ["retrying", "Reconnecting"],
  closed: ["dead", "Disconnected"],
} as const;

/** The state of the connection, and what a confirm of this broker is worth. */
export function ConnectionNote(): ReactNode {
  const link = useLink();
  const [tone, word] = WORDS[link.state];
  return (
    <div className="link-note" title={word}>
      <Shape tone={tone} />
      <span className="link-text" role="status" aria-label="Connection">
        {word}
        {link.durability !== null && (
          <small>{link.durability === "sync" ? "each confirm is on disk" : `durability: ${link.durability}`}</small>
        )}
      </span>
    </div>
  );
}
