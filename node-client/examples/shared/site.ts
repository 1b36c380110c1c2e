/** An Express app whose page runs the client in the browser, without a bundler: see the import map in its index.html. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import express, { type Express } from "express";
import type { Client } from "postroad";
import { closeOnSignals, health } from "postroad/express";
import { BROKER, PORT } from "./process.js";

const CLIENT = dirname(fileURLToPath(import.meta.resolve("postroad")));
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** @param example - the folder with `public/index.html` and, compiled, `page.js`. */
export function siteOf(example: string, mq: Client): Express {
  const app = express();
  app.get("/health", health(mq));
  app.get("/broker.json", (_req, res) => void res.json({ url: BROKER }));
  app.use("/postroad", express.static(CLIENT));
  app.use(express.static(here(`../../${example}/public`)));
  app.use("/js", express.static(here(`../${example}`)));
  return app;
}

export function listen(app: Express, mq: Client): void {
  const server = app.listen(PORT, "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}`));
  closeOnSignals(server, mq, { onClosed: () => {} });
}
