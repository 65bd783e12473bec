// Says what a browser transfers before it can show the sign-in page or the first list, and refuses to grow past the limit.
import { readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

const LIMIT_KB = 500;
const dist = fileURLToPath(new URL("../../src/tocsin/panel/dist", import.meta.url));
const manifest = JSON.parse(readFileSync(join(dist, "manifest.json"), "utf8"));

function weight(file) {
  for (const suffix of [".br", ""]) {
    try {
      return statSync(join(dist, file + suffix)).size;
    } catch {
      continue;
    }
  }
  throw new Error(`${file} is missing`);
}

function needed(name, seen = new Set()) {
  const chunk = manifest[name];
  if (!chunk || seen.has(chunk.file)) return seen;
  seen.add(chunk.file);
  for (const style of chunk.css ?? []) seen.add(style);
  for (const other of chunk.imports ?? []) needed(other, seen);
  return seen;
}

const font = Object.values(manifest).flatMap((chunk) => chunk.assets ?? []).find((file) => file.includes("latin-wght"));

/** The frame and a list page; of the fonts the one that Latin text takes. */
function weigh(page, list) {
  const files = new Set([...needed(page), ...needed(list)]);
  if (font) files.add(font);
  const bytes = [...files].reduce((sum, file) => sum + weight(file), 0) + statSync(join(dist, page)).size;
  const kilobytes = Math.round(bytes / 1000);
  console.log(`First load of ${page}: ${kilobytes} kB in ${files.size + 1} files (limit ${LIMIT_KB} kB).`);
  if (kilobytes > LIMIT_KB) process.exit(1);
}

weigh("index.html", "src/features/events/EventList.tsx");
weigh("platform.html", "src/features/platform/projects/ProjectList.tsx");
