import { createContext, type ReactNode, useCallback, useContext, useMemo, useRef, useState } from "react";
import "./toast.css";

interface Toast {
  readonly id: number;
  readonly text: ReactNode;
  readonly bad: boolean;
}

interface Toasts {
  /** Says that something was done. */
  say(text: ReactNode): void;
  /** Says that something failed, and why. */
  fail(what: string, error: unknown): void;
}

const SHOWN_MS = 5_000;
const SHOWN_MAX = 3;
const Context = createContext<Toasts>({ say: () => {}, fail: () => {} });

export const useToasts = (): Toasts => useContext(Context);

/** Outcomes of actions, read out politely; at most three at once. */
export function ToastProvider({ children }: { children: ReactNode }): ReactNode {
  const [toasts, setToasts] = useState<readonly Toast[]>([]);
  const last = useRef(0);
  const show = useCallback((text: ReactNode, bad: boolean) => {
    const id = ++last.current;
    setToasts((now) => [...now, { id, text, bad }].slice(-SHOWN_MAX));
    setTimeout(() => setToasts((now) => now.filter((toast) => toast.id !== id)), SHOWN_MS);
  }, []);
  const value = useMemo<Toasts>(
    () => ({
      say: (text) => show(text, false),
      fail: (what, error) => show(`${what} ${(error as Error | null)?.message ?? ""}`.trim(), true),
    }),
    [show],
  );
  return (
    <Context value={value}>
      {children}
      <div className="toasts" role="status">
        {toasts.map((toast) => (
          <div key={toast.id} className={toast.bad ? "toast bad" : "toast"}>
            {toast.text}
          </div>
        ))}
      </div>
    </Context>
  );
}
