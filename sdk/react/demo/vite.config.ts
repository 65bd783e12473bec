import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// Takes the package as it is published: what `npm run build` made.
export default defineConfig({
  root: at("."),
  plugins: [react()],
  resolve: { alias: [
    { find: "@tocsin/react/style.css", replacement: at("../src/style.css") },
    { find: "@tocsin/react", replacement: at("../dist/index.js") },
  ] },
  build: { outDir: at("dist"), emptyOutDir: true, target: "es2022", cssTarget: ["chrome123", "firefox120", "safari17.5"] },
});
