import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  publicDir: false,
  build: {
    target: "es2022",
    lib: { entry: ["src/index.ts"], formats: ["es"], fileName: "index" },
    // Whoever embeds it brings these, once.
    rollupOptions: { external: [/^react(\/|$)/, /^react-dom(\/|$)/, "pusher-js"] },
    minify: false,
  },
  test: { include: ["src/**/*.test.ts", "tests/*.test.ts"] },
} as Parameters<typeof defineConfig>[0]);
