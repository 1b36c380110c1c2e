import type { Client } from "postroad";
import { createContext, useContext } from "react";

const KEY = "postroad-token";

/** What the tab remembers of the token; it may not be allowed to. */
const storage = {
  read(): string | null {
    try {
      return sessionStorage.getItem(KEY);
    } catch {
      return null;
    }
  },
  write(token: string | null): void {
    try {
      if (token === null) sessionStorage.removeItem(KEY);
      else sessionStorage.setItem(KEY, token);
    } catch {
      // Then it is asked for again after a reload.
    }
  },
};

/** Whether a JSON Web Token says of itself that it has ended; of other tokens nothing is known. */
export function hasExpired(token: string, now: number): boolean {
  try {
    const payload = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const { exp } = JSON.parse(atob(payload)) as { exp?: unknown };
    return typeof exp === "number" && exp * 1_000 <= now;
  } catch {
    return false;
  }
}

/** A connection and the token that it was made with. */
export interface SignedIn {
  readonly client: Client;
  readonly token: string | null;
}

/**
 * Who the console speaks for: a token that is kept in this tab only, in its session storage, and never in an address.
 * Another token is another connection.
 */
export class Session {
  readonly #connect: (token: string | null) => Client;
  readonly #listeners = new Set<() => void>();
  #now: SignedIn;

  constructor(connect: (token: string | null) => Client) {
    this.#connect = connect;
    const token = storage.read();
    this.#now = { client: connect(token), token };
  }

  readonly get = (): SignedIn => this.#now;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Connects anew with the token, as it was pasted; null signs out. */
  use(pasted: string | null): void {
    const token = pasted === null ? null : pasted.replace(/^\s*Bearer\s+/i, "").replace(/\s+/g, "");
    storage.write(token);
    void this.#now.client.close({ drain: false });
    this.#now = { client: this.#connect(token), token };
    for (const listener of this.#listeners) listener();
  }

  /** A token that was refused is not tried again after a reload. */
  forget(): void {
    storage.write(null);
  }
}

export const SessionContext = createContext<(SignedIn & { readonly session: Session }) | null>(null);

/** The token of this tab, for requests over HTTP; null where none is held. */
export const useToken = (): string | null => useContext(SessionContext)?.token ?? null;
