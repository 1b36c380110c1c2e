import type { Server } from "node:http";
import type { Express } from "express";
import { onTestFinished } from "vitest";
import { listen, portOf } from "../process.js";

/** Serves an app on a free port until the test ends; resolves with its address. */
export async function serve(app: Express): Promise<string> {
  const server: Server = await listen(app, 0);
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${portOf(server)}`;
}

export interface Answer {
  readonly status: number;
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
  readonly json: any;
}

export async function call(
  method: string,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const init: RequestInit = {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
  };
  if (body !== undefined) init.body = typeof body === "string" ? body : JSON.stringify(body);
  const answer = await fetch(url, init);
  const text = await answer.text();
  return {
    status: answer.status,
    type: answer.headers.get("content-type") ?? "",
    json: text === "" ? null : parse(text),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The next event of a kind from an open stream of server-sent events. */
export async function nextEvent(
  reader: AsyncIterator<string>,
  kind: string,
): Promise<{ id: string | null; data: unknown }> {
  let text = "";
  for (;;) {
    const { value, done } = await reader.next();
    if (done) throw new Error(`The stream ended before "${kind}".`);
    text += value;
    for (const block of text.split("\n\n").slice(0, -1)) {
      const field = (name: string): string | null => block.match(new RegExp(`^${name}: (.*)$`, "m"))?.[1] ?? null;
      if (field("event") === kind) return { id: field("id"), data: JSON.parse(field("data") ?? "null") };
    }
  }
}

/** Opens a stream of server-sent events until the test ends. */
export async function follow(url: string, headers: Record<string, string> = {}): Promise<AsyncIterator<string>> {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const answer = await fetch(url, { headers, signal: stop.signal });
  if (answer.body === null) throw new Error("There is no stream.");
  const decoder = new TextDecoder();
  const body = answer.body[Symbol.asyncIterator]();
  return {
    async next() {
      const { value, done } = await body.next();
      return done ? { value: undefined, done: true } : { value: decoder.decode(value, { stream: true }), done: false };
    },
  };
}
