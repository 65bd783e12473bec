import { useSyncExternalStore } from "react";
import { ago, exact } from "@/lib/when";

const EVERY_MS = 15_000;
let now = Date.now();

function ticking(changed: () => void): () => void {
  const timer = setInterval(() => {
    now = Date.now();
    changed();
  }, EVERY_MS);
  return () => clearInterval(timer);
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
