/** The page of a queue. */
export const queuePath = (name: string): string => `/queues/${encodeURIComponent(name)}`;

/** The page of a message. */
export const messagePath = (id: string): string => `/messages/${encodeURIComponent(id)}`;

/** The gateway's WebSocket address, from the page's own and the path that the configuration names. */
export function socketUrl(ws: string, page: { protocol: string; host: string }): string {
  if (/^wss?:\/\//.test(ws)) return ws;
  return `${page.protocol === "https:" ? "wss" : "ws"}://${page.host}${ws}`;
}
