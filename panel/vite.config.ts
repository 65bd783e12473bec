import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const API = process.env.TOCSIN_URL ?? "http://127.0.0.1:8700";
const SMALLEST = 1024;

/** Lays a compressed sibling beside every text file, as it was written in the end; the server only has to choose. */
function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    writeBundle({ dir }, bundle) {
      for (const name of Object.keys(bundle).filter((each) => /\.(js|css|svg)$/.test(each))) {
        const path = join(dir!, name);
        const source = readFileSync(path);
        if (source.length < SMALLEST) continue;
        const params = { [constants.BROTLI_PARAM_QUALITY]: 9 };
        writeFileSync(`${path}.br`, brotliCompressSync(source, { params }));
        writeFileSync(`${path}.gz`, gzipSync(source, { level: 9 }));
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
    // The first ones that know light-dark(), which would be taken apart otherwise.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    chunkSizeWarningLimit: 600,
    manifest: "manifest.json",
    rolldownOptions: { input: ["index.html", "platform.html"] },
    assetsInlineLimit: 0,
  },
  server: { proxy: { "/api": API, "/app": { target: API, ws: true } } },
  test: { include: ["src/**/*.test.ts"] },
} as Parameters<typeof defineConfig>[0]);
