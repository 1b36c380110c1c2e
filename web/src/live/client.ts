import { createContext, useContext } from "react";

export { useClient } from "postroad/react";

/** Where the connection goes, as snippets show it. */
export const SocketUrlContext = createContext("ws://127.0.0.1:7070/ws");

export const useSocketUrl = (): string => useContext(SocketUrlContext);
