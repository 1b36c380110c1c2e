import { parseArgs } from "node:util";

/** What `stage` was asked for. */
export interface Flags {
  readonly open: boolean;
  readonly data: string;
  /** `embedded`, the name of an engine whose server is started as well, or the URL of one that runs. */
  readonly engine: string;
  readonly workers: number;
  /** The gateway's port; the next free one when it is taken and was not asked for. */
  readonly port: number | null;
  readonly fast: boolean;
  readonly readyFile: string | null;
}

export const USAGE = `Starts the whole demo on this machine: broker, Express API, workers, mail server, this page.

  --no-open           do not open the browser
  --data FOLDER       where messages and letters are kept (data/demo)
  --engine ENGINE     what stores and delivers: embedded (the default), redis, rabbitmq, …, whose server is started
                      as well; or the URL of a server that runs already: redis://…
  --workers N         how many workers to start with (2)
  --port N            the gateway's port (7070, or a free one)
  --fast              short leases and backoff, and no pause in the worker: for tests
  --ready-file PATH   write the URLs and process ids there as JSON when all is ready
`;

/** @throws Error with one line for the user, when a flag is wrong. */
export function parseFlags(args: readonly string[]): Flags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      "no-open": { type: "boolean", default: false },
      data: { type: "string", default: "data/demo" },
      engine: { type: "string", default: "embedded" },
      workers: { type: "string", default: "2" },
      port: { type: "string" },
      fast: { type: "boolean", default: false },
      "ready-file": { type: "string" },
    },
  });
  return {
    open: !values["no-open"],
    data: values.data,
    engine: values.engine,
    workers: count("workers", values.workers, 0, 8),
    port: values.port === undefined ? null : count("port", values.port, 1, 65_535),
    fast: values.fast,
    readyFile: values["ready-file"] ?? null,
  };
}

function count(flag: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new Error(`--${flag} is a whole number from ${min} to ${max}.`);
  }
  return value;
}
