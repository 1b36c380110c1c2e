import type { Request, Response } from "express";

/** Bytes a reader may leave unread before it is cut off: it reconnects and gets the state anew. */
const BACKLOG_BYTES_MAX = 1_048_576;

/** Everyone who listens to one stream of server-sent events. */
export class Listeners {
  readonly #open = new Set<Response>();

  /** Keeps the response open; `first` is sent at once so that a listener never starts from nothing. */
  add(req: Request, res: Response, first?: { event: string; data: unknown }): void {
    res.set({ "Content-Type": "text/event-stream", "Cache-Control": "no-store", Connection: "keep-alive" });
    res.flushHeaders();
    res.write("retry: 1000\n\n");
    this.#open.add(res);
    req.on("close", () => this.#open.delete(res));
    if (first !== undefined) write(res, first.event, first.data);
  }

  send(event: string, data: unknown, id?: number): void {
    for (const res of this.#open) {
      if (res.writableLength > BACKLOG_BYTES_MAX) res.destroy();
      else write(res, event, data, id);
    }
  }

  close(): void {
    for (const res of this.#open) res.end();
    this.#open.clear();
  }
}

function write(res: Response, event: string, data: unknown, id?: number): void {
  const head = id === undefined ? "" : `id: ${id}\n`;
  res.write(`${head}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}
