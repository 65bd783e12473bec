import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const API = process.env.TOCSIN_URL ?? "http://127.0.0.1:8700";
const SMALLEST = 1024;

/** Lays a compressed sibling beside every text file, so that the server only has to choose one. */
function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    enforce: "post",
    generateBundle(_options, bundle) {
      for (const [name, file] of Object.entries(bundle)) {
        if (!/\.(js|css|svg)$/.test(name)) continue;
        const source = Buffer.from(file.type === "chunk" ? file.code : file.source);
        if (source.length < SMALLEST) continue;
        const params = { [constants.BROTLI_PARAM_QUALITY]: 9 };
        this.emitFile({ type: "asset", fileName: `${name}.br`, source: brotliCompressSync(source, { params }) });
        this.emitFile({ type: "asset", fileName: `${name}.gz`, source: gzipSync(source, { level: 9 }) });
      }
    },
  };
}

export default defineConfig({
  base: "/panel/",
  plugins: [react(), compressed()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    outDir: "../src/tocsin/panel/dist",
    emptyOutDir: true,
    target: "es2023",
    chunkSizeWarningLimit: 600,
    manifest: "manifest.json",
    assetsInlineLimit: 0,
  },
  server: { proxy: { "/api": API, "/app": { target: API, ws: true } } },
  test: { include: ["src/**/*.test.ts"] },
} as Parameters<typeof defineConfig>[0]);
