/** What every program of the examples takes from its environment, and how it stops. */
import { type Client, connect } from "postroad";

export const BROKER = process.env["POSTROAD_URL"] ?? "ws://127.0.0.1:7070/ws";
export const PORT = Number(process.env["PORT"] ?? 8090);
/** Where files go. */
export const DATA = process.env["DATA"] ?? "data/examples";

/** Connects a worker; on a signal its handlers may finish first. */
export function joinAs(name: string): Client {
  const mq = connect(BROKER, { name });
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void mq.close());
  return mq;
}
