/** The page of a queue. */
export const queuePath = (name: string): string => `/queues/${encodeURIComponent(name)}`;

/** The page of a message. */
export const messagePath = (id: string): string => `/messages/${encodeURIComponent(id)}`;

/** The page of a stream. */
export const streamPath = (name: string): string => `/streams/${encodeURIComponent(name)}`;

/** The page of whatever holds messages: a queue, a stream, or a group, which is named `<stream>/<group>`. */
export function placePath(name: string, isStream: (name: string) => boolean): string {
  const [stream = name, group] = name.split("/");
  return group !== undefined || isStream(stream) ? streamPath(stream) : queuePath(name);
}

/** A group's own name, without its stream's. */
export const groupName = (name: string): string => name.slice(name.indexOf("/") + 1);

/** The gateway's WebSocket address, from the page's own and the path that the configuration names. */
export function socketUrl(ws: string, page: { protocol: string; host: string }): string {
  if (/^wss?:\/\//.test(ws)) return ws;
  return `${page.protocol === "https:" ? "wss" : "ws"}://${page.host}${ws}`;
}
