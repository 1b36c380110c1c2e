import type { ReactNode } from "react";
import { useEngine } from "../../live/engine.js";
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
  const engine = useEngine();
  const [tone, word] = WORDS[link.state];
  return (
    <div className="link-note" title={word}>
      <Shape tone={tone} />
      <span className="link-text" role="status" aria-label="Connection">
        {word}
        {engine !== null && (
          <small>
            {engine.name === "embedded" ? "" : `${engine.name}: `}
            {engine.durability === "sync" ? "each confirm is on disk" : `durability ${engine.durability}`}
          </small>
        )}
      </span>
    </div>
  );
}
