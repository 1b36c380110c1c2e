import { type ReactNode, useCallback, useEffect, useRef, useState } from "react";
import { useLocation } from "wouter";
import { clock } from "../../format/time.js";
import { DurabilityContext, useEngine } from "../../live/engine.js";
import { rates } from "../../live/history.js";
import { useLink } from "../../live/link.js";
import { useAllQueues } from "../../live/queues.js";
import { refusals } from "../../live/rights.js";
import { useAllStreams } from "../../live/streams.js";
import { Shape } from "../../ui/state.js";
import { byAttention } from "../queues/sort.js";
import { Help } from "./help.js";
import { useKeys } from "./keys.js";
import { Nav } from "./nav.js";
import { Palette } from "./palette.js";
import { useTheme } from "./theme.js";
import "./shell.css";

/** Navigation, palette, keys and the note that the data is old, around every page. */
export function Shell({ demo, children }: { demo: boolean; children: ReactNode }): ReactNode {
  const { queues } = useAllQueues();
  const { streams } = useAllStreams();
  const link = useLink();
  const durability = useEngine()?.durability ?? "sync";
  const [theme, chooseTheme] = useTheme();
  const [dialog, setDialog] = useState<"palette" | "help" | null>(null);
  const [path] = useLocation();
  const main = useRef<HTMLElement>(null);
  const palette = useCallback(() => setDialog((was) => (was === "palette" ? null : "palette")), []);
  const help = useCallback(() => setDialog("help"), []);
  // A dialog's own close event comes late: by then another one may have been opened.
  const close = useCallback((one: "palette" | "help") => setDialog((was) => (was === one ? null : was)), []);
  const closePalette = useCallback(() => close("palette"), [close]);
  const closeHelp = useCallback(() => close("help"), [close]);
  useKeys({ palette, help });

  useEffect(() => rates.feed([...queues, ...streams]), [queues, streams]);
  // With a new connection another token may have come.
  useEffect(() => {
    if (link.state === "open") refusals.clear();
  }, [link.state]);
  useEffect(() => rates.start(), []);

  useEffect(() => {
    const thing = path.match(/^\/(?:queues|streams|messages)\/(.+)$/)?.[1];
    const page = thing === undefined ? path.slice(1) : decodeURIComponent(thing);
    document.title = page === "" ? "Postroad" : `${page} · Postroad`;
  }, [path]);

  // A page that was followed by a link starts at its top, for the eye and for a screen reader.
  const before = useRef(path);
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    window.scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [path]);

  const names = [...queues].sort((a, b) => (a.name < b.name ? -1 : 1));
  return (
    <div className={link.lostAt !== null ? "shell stale" : "shell"}>
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <Nav demo={demo} queues={names} theme={theme} chooseTheme={chooseTheme} palette={palette} help={help} />
      <main id="main" className="main" ref={main} tabIndex={-1}>
        {link.lostAt !== null && (
          <p className="stale-note" role="status">
            <Shape tone="retrying" /> The connection is lost. What you see is of {clock(link.lostAt)}; it goes on by
            itself when the broker answers.
          </p>
        )}
        <DurabilityContext value={durability}>{children}</DurabilityContext>
      </main>
      <Palette
        open={dialog === "palette"}
        close={closePalette}
        demo={demo}
        queues={byAttention(queues)}
        streams={streams}
        chooseTheme={chooseTheme}
        help={help}
      />
      <Help open={dialog === "help"} close={closeHelp} />
    </div>
  );
}
