import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const src = (path: string): string => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^#websocket$/, replacement: src("transport/node.ts") },
      { find: /^#platform$/, replacement: src("platform/node.ts") },
      { find: /^postroad\/(react|express|testing)$/, replacement: src("$1/index.ts") },
      { find: /^postroad$/, replacement: src("index.ts") },
    ],
  },
  test: {
    include: ["test/**/*.test.{ts,tsx}"],
    environment: "node",
    typecheck: { enabled: true, include: ["test/**/*.test-d.ts"], tsconfig: "tsconfig.test.json" },
  },
});
