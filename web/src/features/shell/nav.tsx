import {
  Ban,
  CalendarClock,
  Gauge,
  Inbox,
  List,
  Menu,
  Monitor,
  Moon,
  PanelLeftClose,
  PanelLeftOpen,
  ScrollText,
  Server,
  Split,
  Sun,
} from "lucide-react";
import { type ReactNode, useState } from "react";
import { Link, useLocation } from "wouter";
import { queuePath } from "../../format/address.js";
import { count } from "../../format/number.js";
import { useCannot } from "../../live/engine.js";
import type { QueueStats } from "../../live/types.js";
import { waiting } from "../queues/sort.js";
import { SignOut } from "../sign_in/sign_in.js";
import { ConnectionNote } from "./connection_note.js";
import { Mark } from "./mark.js";
import { THEMES, type Theme } from "./theme.js";

/** How many queues the column lists; the page has them all. */
const LISTED_MAX = 12;
const THEME_ICONS = { system: Monitor, light: Sun, dark: Moon } as const;

interface Props {
  readonly demo: boolean;
  readonly queues: readonly QueueStats[];
  readonly theme: Theme;
  readonly chooseTheme: (theme: Theme) => void;
  readonly palette: () => void;
  readonly help: () => void;
}

function storedFold(): boolean {
  try {
    return localStorage.getItem("postroad-nav") === "folded";
  } catch {
    return false;
  }
}

/** The one column of navigation: pages, queues that need attention first, connection, theme. */
export function Nav({ demo, queues, theme, chooseTheme, palette, help }: Props): ReactNode {
  const [path] = useLocation();
  const [unfolded, setUnfolded] = useState(false);
  const [folded, setFolded] = useState(storedFold);
  const fold = (next: boolean): void => {
    setFolded(next);
    try {
      localStorage.setItem("postroad-nav", next ? "folded" : "open");
    } catch {
      // Then it is open again next time.
    }
  };
  const overview = demo ? "/overview" : "/";
  const cannot = { streams: useCannot("streams"), topics: useCannot("topics"), schedules: useCannot("schedules") };
  // A page that this engine has nothing for is still there, and says why.
  const link = (to: string, icon: ReactNode, label: string, off: string | null = null): ReactNode => (
    <li>
      <Link
        href={to}
        className="nav-link"
        aria-current={path === to ? "page" : path.startsWith("/streams/") && to === "/streams" ? "true" : undefined}
        title={off ?? label}
        onClick={() => setUnfolded(false)}
      >
        {icon} <span className="nav-text">{label}</span>
        {off !== null && (
          <>
            <Ban size={14} className="nav-off nav-text" aria-hidden="true" />
            <span className="visually-hidden">: {off}</span>
          </>
        )}
      </Link>
    </li>
  );
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system";
  const ThemeIcon = THEME_ICONS[theme];
  return (
    <nav className={`nav ${folded ? "folded" : ""} ${unfolded ? "unfolded" : ""}`} aria-label="Main">
      <div className="nav-head">
        <Link href="/" className="brand" aria-label="Postroad, front page">
          <Mark /> <span className="nav-text">Postroad</span>
        </Link>
        <button
          type="button"
          className="icon-button nav-menu"
          aria-label="Menu"
          aria-expanded={unfolded}
          onClick={() => setUnfolded(!unfolded)}
        >
          <Menu size={20} aria-hidden="true" />
        </button>
        <button
          type="button"
          className="icon-button nav-fold"
          aria-label={folded ? "Unfold the navigation" : "Fold the navigation"}
          onClick={() => fold(!folded)}
        >
          {folded ? <PanelLeftOpen size={18} aria-hidden="true" /> : <PanelLeftClose size={18} aria-hidden="true" />}
        </button>
      </div>
      <div className="nav-body">
        <ul>
          {demo && link("/", <Inbox size={18} aria-hidden="true" />, "Sign-up demo")}
          {link(overview, <Gauge size={18} aria-hidden="true" />, "Overview")}
          {link("/queues", <List size={18} aria-hidden="true" />, "Queues")}
          {link("/streams", <ScrollText size={18} aria-hidden="true" />, "Streams", cannot.streams)}
          {link("/topics", <Split size={18} aria-hidden="true" />, "Topics", cannot.topics)}
          {link("/schedules", <CalendarClock size={18} aria-hidden="true" />, "Schedules", cannot.schedules)}
          {link("/engine", <Server size={18} aria-hidden="true" />, "Engine")}
        </ul>
        {queues.length > 0 && (
          <ul className="nav-queues" aria-label="All queues">
            {queues.slice(0, LISTED_MAX).map((queue) => (
              <li key={queue.name}>
                <Link
                  href={queuePath(queue.name)}
                  className="nav-queue"
                  aria-current={path === queuePath(queue.name) ? "page" : undefined}
                  onClick={() => setUnfolded(false)}
                >
                  <code>{queue.name}</code>
                  <span className={queue.deadLetterOf !== undefined && waiting(queue) > 0 ? "dead" : "muted"}>
                    {count(waiting(queue))}
                  </span>
                </Link>
              </li>
            ))}
          </ul>
        )}
        <div className="nav-foot">
          <ConnectionNote />
          <SignOut />
          <div className="nav-tools">
            <button type="button" className="nav-tool" onClick={palette}>
              <kbd>⌘K</kbd> <span className="nav-text">Go to</span>
            </button>
            <button type="button" className="nav-tool" onClick={help} aria-label="Keys">
              <kbd>?</kbd>
            </button>
            <button
              type="button"
              className="nav-tool"
              onClick={() => chooseTheme(next)}
              aria-label={`Theme: ${theme}. Change to ${next}`}
              title={`Theme: ${theme}`}
            >
              <ThemeIcon size={16} aria-hidden="true" />
            </button>
          </div>
        </div>
      </div>
    </nav>
  );
}
