import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The gateway that `npm run dev` talks to. */
const gateway = process.env.POSTROAD_HTTP ?? "http://127.0.0.1:7070";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../gateway/postroad/gateway/console_assets",
    emptyOutDir: true,
    // The content security policy allows no data: fonts or scripts, so nothing is inlined.
    assetsInlineLimit: 0,
    target: ["chrome125", "firefox128", "safari17.5"],
    modulePreload: { polyfill: false },
  },
  server: {
    host: "127.0.0.1",
    port: 5173,
    proxy: {
      "/ws": { target: gateway, ws: true, changeOrigin: true },
      "/v1": { target: gateway, changeOrigin: true },
      "/console-config.json": { target: gateway, changeOrigin: true },
    },
  },
});
