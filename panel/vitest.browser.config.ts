import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The file comes first in which an installation gets its first admin, whom others ask for things. */
class AdminFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]) {
    const sorted = await super.sort(files);
    const [first, others] = [true, false].map((wanted) => sorted.filter(({ moduleId }) => moduleId.endsWith("/platform.browser.ts") === wanted));
    return [...first!, ...others!];
  }
}

// Drives a Tocsin that runs: TOCSIN_URL says where. `make panel-browser` starts one.
export default defineConfig({
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  test: {
    include: ["tests/browser/*.browser.ts"],
    testTimeout: 90_000,
    hookTimeout: 60_000,
    // As CONTRIBUTING says of all tests but those that prove loss, walls and limits; the line of the test says so.
    retry: 1,
    // Each file has a browser, projects and people of its own; its tests follow one another.
    maxWorkers: 2,
    sequence: { sequencer: AdminFirst },
  },
});
