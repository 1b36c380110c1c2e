import type { ReactNode } from "react";
import { Copy } from "./copy.js";
import "./code.css";

/** Text in the machine's words, with a copy button. */
export function Code({ label, text }: { label: string; text: string }): ReactNode {
  return (
    <figure className="code">
      <figcaption>
        <span>{label}</span>
        <Copy text={text} label={`Copy ${label}`} />
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard */}
      <pre tabIndex={0}>{text}</pre>
    </figure>
  );
}
