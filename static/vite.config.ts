import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

const server = "http://127.0.0.1:7860";

export default defineConfig(({ mode }) => ({
  plugins: [svelte()],
  resolve: mode === "test" ? { conditions: ["browser"] } : {},
  build: { outDir: process.env["DAGGR_DIST"] ?? "dist", emptyOutDir: true, assetsInlineLimit: 0, reportCompressedSize: false, manifest: "manifest.json" },
  worker: { format: "es" },
  server: {
    proxy: {
      "/api": { target: server, ws: true },
      "/file": server,
      "/theme.css": server,
    },
  },
  test: { environment: "happy-dom", include: ["src/**/*.test.ts"], restoreMocks: true },
}));
