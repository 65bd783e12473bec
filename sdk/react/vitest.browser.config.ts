import { defineConfig } from "vitest/config";

// Drives the built demo against a Tocsin that runs: TOCSIN_URL says where. `tests/sdk` starts one.
export default defineConfig({
  test: {
    include: ["tests/browser/*.browser.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    retry: 1,
    fileParallelism: false,
    sequence: { concurrent: false },
  },
});
