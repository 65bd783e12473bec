import type { Schemas } from "@/lib/api";

const UNDER_WAY = new Set(["queued", "leased"]);

/** Whether more is about to happen soon; what waits for a retry minutes away is told by the live line. */
export function isUnderWay(story: Schemas["EventStory"], now = Date.now()): boolean {
  if (story.status === "received") return true;
  return story.trace.some((rule) =>
    rule.deliveries.some(
      ({ state, dueAt }) => UNDER_WAY.has(state) && (!dueAt || new Date(dueAt).getTime() < now + 30_000),
    ),
  );
}
