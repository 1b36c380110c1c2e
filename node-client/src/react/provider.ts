"use client";
import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useContext,
  useEffect,
  useState,
} from "react";
import { type Client, connect } from "../client.js";
import type { ConnectOptions } from "../options.js";

const Context = createContext<Client | undefined>(undefined);

export type PostroadProviderProps = { readonly children?: ReactNode } & (
  | { /** A client that lives outside of React. */ readonly client: Client }
  | {
      /** Makes a client for this provider, connected at its first use and closed when the provider is gone. Read once. */
      readonly url: string;
      readonly options?: ConnectOptions;
    }
);

/** StrictMode unmounts and mounts again at once: only what stays away is closed. */
const CLOSE_AFTER_MS = 1_000;

export function PostroadProvider(props: PostroadProviderProps): ReactElement {
  const given = "client" in props ? props.client : undefined;
  const [own] = useState(() => ("url" in props ? new OwnClient(props.url, props.options) : undefined));
  useEffect(() => own?.retain(), [own]);
  return createElement(Context.Provider, { value: given ?? own?.client }, props.children);
}

/** The client of the nearest provider. */
export function useClient(): Client {
  const client = useContext(Context);
  if (client === undefined) throw new Error("useClient and the other hooks need a <PostroadProvider> around them.");
  return client;
}

class OwnClient {
  readonly client: Client;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(url: string, options: ConnectOptions = {}) {
    // Lazy: rendering on a server, or a render that is thrown away, opens nothing.
    this.client = connect(url, { ...options, lazy: true });
  }

  retain(): () => void {
    clearTimeout(this.#timer);
    return () => {
      this.#timer = setTimeout(() => void this.client.close({ drain: false }), CLOSE_AFTER_MS);
    };
  }
}
