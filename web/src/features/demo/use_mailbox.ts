import { useEffect, useRef, useState } from "react";
import type { Demo, Mail } from "../../api/demo.js";
import { getJson } from "../../api/http.js";

/** How many letters the page keeps; the catcher has more. */
export const LETTERS_MAX = 100;
const MESSAGES_MAX = 5_000;
/** Letters that arrive together are shown together. */
const TOGETHER_MS = 100;

export interface MailboxView {
  /** Newest first. */
  readonly letters: readonly Mail[];
  /** The messages whose letters came, also of those that newer ones have pushed out. */
  readonly messages: ReadonlySet<string>;
  /** All that ever came. */
  readonly total: number;
  readonly status: "loading" | "live" | "lost";
}

export const NOTHING: MailboxView = { letters: [], messages: new Set(), total: 0, status: "loading" };

/** The mailbox, live: the newest letters, then each that arrives. */
export function useMailbox(demo: Demo): MailboxView {
  const [view, setView] = useState<MailboxView>(NOTHING);
  const waiting = useRef<Mail[]>([]);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const flush = (): void => {
      timer = undefined;
      const fresh = waiting.current.splice(0);
      setView((was) => merge(was, fresh));
    };
    const source = new EventSource(`${demo.stage}/mails/events`);
    source.addEventListener("hello", () => {
      getJson<{ mails: Mail[]; total: number }>(`${demo.stage}/mails?limit=${LETTERS_MAX}`).then(
        ({ mails, total }) =>
          setView((was) => ({ ...merge(was, mails), total: Math.max(total, was.total), status: "live" })),
        () => setView((was) => ({ ...was, status: "lost" })),
      );
    });
    source.addEventListener("mail", (event) => {
      waiting.current.push(JSON.parse(event.data as string) as Mail);
      timer ??= setTimeout(flush, TOGETHER_MS);
    });
    source.addEventListener("error", () => setView((was) => ({ ...was, status: "lost" })));
    return () => {
      source.close();
      clearTimeout(timer);
    };
  }, [demo]);
  return view;
}

/** Both lists without doubles, newest first, bounded. */
export function merge(was: MailboxView, fresh: readonly Mail[]): MailboxView {
  const byId = new Map([...was.letters, ...fresh].map((mail) => [mail.id, mail]));
  const letters = [...byId.values()].sort((a, b) => b.id - a.id).slice(0, LETTERS_MAX);
  const came = fresh.flatMap(({ message }) => (message === null ? [] : [message]));
  const messages = new Set([...was.messages, ...came].slice(-MESSAGES_MAX));
  return { ...was, letters, messages, total: Math.max(was.total, letters[0]?.id ?? 0) };
}
