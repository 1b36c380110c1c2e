import { getJson } from "./http.js";

/** What the gateway tells the app at start. */
export interface Config {
  readonly ws: string;
  readonly demo: { readonly api: string; readonly stage: string } | null;
}

export async function loadConfig(): Promise<Config> {
  const { ws, demo } = await getJson<{ ws?: string; demo?: { api?: string; stage?: string } | null }>(
    "/console-config.json",
  );
  const complete = typeof demo?.api === "string" && typeof demo.stage === "string";
  return { ws: ws ?? "/ws", demo: complete ? { api: demo.api ?? "", stage: demo.stage ?? "" } : null };
}
