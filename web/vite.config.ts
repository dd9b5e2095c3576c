// How is the dashboard built? Into few files with hashed names that the server embeds, the same bytes
// on every machine, and nothing that a strict Content-Security-Policy would refuse: no inline script
// or style, no data URL.
import { defineConfig } from "vitest/config";

const server = process.env.TIDEGATE_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: false,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 600,
  },
  server: { proxy: { "/api": server, "/v1": server } },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
