import type { ReactNode } from "react";
import { Button } from "./button.js";
import { Code } from "./code.js";
import "./views.css";

/** What a view is when there is nothing in it yet, with a snippet that makes the first of it. */
export function Empty({ title, children, code }: { title: string; children?: ReactNode; code?: string }): ReactNode {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children !== undefined && <p className="muted">{children}</p>}
      {code !== undefined && <Code label="TypeScript" text={code} />}
    </div>
  );
}

/** What failed, what is still true, what to do. */
export function ErrorView({ title, error, retry }: { title: string; error: unknown; retry?: () => void }): ReactNode {
  const { code, message } = (error ?? {}) as { code?: string; message?: string };
  return (
    <div className="error-view" role="alert">
      <p className="empty-title">{title}</p>
      <p className="muted">
        {message ?? "There was no answer."} {code !== undefined && <code>{code}</code>}
      </p>
      {retry !== undefined && <Button onClick={retry}>Try again</Button>}
    </div>
  );
}

const LINES = [1, 2, 3, 4, 5, 6, 7, 8];

/** Lines of the size that the content will have. */
export function Skeleton({ rows, label }: { rows: number; label: string }): ReactNode {
  return (
    <div className="skeleton" role="status" aria-label={label}>
      {LINES.slice(0, rows).map((line) => (
        <span key={line} />
      ))}
    </div>
  );
}

/** A labelled panel. */
export function Panel(props: {
  title: string;
  aside?: ReactNode;
  children: ReactNode;
  className?: string;
  flush?: boolean;
}): ReactNode {
  return (
    <section className={`panel ${props.className ?? ""}`} aria-label={props.title}>
      <header className="panel-head">
        <h2>{props.title}</h2>
        {props.aside}
      </header>
      <div className={props.flush === true ? "panel-flush" : "panel-body"}>{props.children}</div>
    </section>
  );
}

/** A page's head: its name, what it is, and its actions. */
export function PageHead({
  title,
  lead,
  actions,
}: {
  title: ReactNode;
  lead?: ReactNode;
  actions?: ReactNode;
}): ReactNode {
  return (
    <header className="page-head">
      <div>
        <h1>{title}</h1>
        {lead !== undefined && <p className="muted">{lead}</p>}
      </div>
      {actions !== undefined && <div className="page-actions">{actions}</div>}
    </header>
  );
}

/** A labelled figure. */
interface FigureProps {
  readonly label: string;
  readonly children: ReactNode;
  readonly tone?: string;
  /** What it counts, where the label alone may not say it. */
  readonly title?: string;
}

export function Figure({ label, children, tone, title }: FigureProps): ReactNode {
  return (
    <div className={`figure ${tone ?? ""}`} title={title}>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}
