import type { Client } from "postroad";
import { createContext, useContext } from "react";

/** The one connection of the app. */
export const ClientContext = createContext<Client | null>(null);

/** Where that connection goes, as snippets show it. */
export const SocketUrlContext = createContext("ws://127.0.0.1:7070/ws");

export const useSocketUrl = (): string => useContext(SocketUrlContext);

export function useClient(): Client {
  const client = useContext(ClientContext);
  if (client === null) throw new Error("The app is not connected: there is no ClientContext above.");
  return client;
}
