import type { MessageInfo } from "../../live/types.js";

type Again = Pick<MessageInfo, "queue" | "body" | "type" | "headers" | "key" | "priority">;

/** The HTTP address beside a WebSocket address. */
const httpOf = (ws: string): string => ws.replace(/^ws/, "http").replace(/\/ws$/, "");

/** A shell word in single quotes. */
const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** A curl command that publishes the same message again. */
export function asCurl(message: Again, ws: string): string {
  const one = {
    body: message.body,
    ...(message.type === "json" ? {} : { type: message.type }),
    ...(message.headers && Object.keys(message.headers).length > 0 ? { headers: message.headers } : {}),
    ...(message.key ? { key: message.key } : {}),
    ...(message.priority ? { priority: message.priority } : {}),
  };
  const body = quote(JSON.stringify({ messages: [one] }));
  return `curl -X POST ${httpOf(ws)}/v1/queues/${message.queue}/messages \\\n  -H 'Content-Type: application/json' \\\n  -d ${body}`;
}

/** A TypeScript program that publishes the same message again. */
export function asTypeScript(message: Again, ws: string): string {
  const options = {
    ...(message.headers && Object.keys(message.headers).length > 0 ? { headers: message.headers } : {}),
    ...(message.key ? { key: message.key } : {}),
    ...(message.priority ? { priority: message.priority } : {}),
  };
  const more = Object.keys(options).length === 0 ? "" : `, ${JSON.stringify(options, null, 2)}`;
  const body =
    message.type === "bytes"
      ? `Uint8Array.from(atob(${JSON.stringify(message.body)}), (c) => c.charCodeAt(0))`
      : JSON.stringify(message.body, null, 2);
  return `import { connect } from "postroad";\n\nconst mq = connect(${JSON.stringify(ws)});\nawait mq.queue(${JSON.stringify(message.queue)}).publish(${body}${more});\nawait mq.close();\n`;
}
