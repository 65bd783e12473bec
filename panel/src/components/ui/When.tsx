import { useSyncExternalStore } from "react";
import { ago, exact } from "@/lib/when";

const EVERY_MS = 15_000;
const shown = new Set<() => void>();
let now = Date.now();

setInterval(() => {
  now = Date.now();
  shown.forEach((changed) => changed());
}, EVERY_MS);

function ticking(changed: () => void): () => void {
  shown.add(changed);
  return () => void shown.delete(changed);
}

/** How long ago; the exact time on hovering. Every one on the page moves on together. */
export function When({ time, never = "–" }: { time: string | null | undefined; never?: string }) {
  useSyncExternalStore(ticking, () => now);
  if (!time) return <span className="dimmed">{never}</span>;
  return (
    <time dateTime={time} title={exact(time)}>
      {ago(time, Math.max(now, Date.now()))}
    </time>
  );
}
