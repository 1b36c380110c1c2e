import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** Tests run against the client's sources, so that they need no build. */
const client = (path: string): string => fileURLToPath(new URL(`../node-client/src/${path}`, import.meta.url));

export default defineConfig({
  plugins: [react()],
  resolve: {
    alias: [
      { find: /^#websocket$/, replacement: client("transport/node.ts") },
      { find: /^#platform$/, replacement: client("platform/node.ts") },
      { find: /^postroad\/(react|express|testing)$/, replacement: client("$1/index.ts") },
      { find: /^postroad$/, replacement: client("index.ts") },
    ],
    dedupe: ["react", "react-dom"],
  },
  test: { include: ["src/**/*.test.{ts,tsx}", "demo/test/**/*.test.ts"], environment: "node", restoreMocks: true },
});
