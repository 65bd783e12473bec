import type { Schemas } from "@/lib/api";
import { t } from "@/lib/t";

export type Quota = Schemas["StandingAnswer"];

const AT_THE_LIMIT: Record<string, string> = {
  events: t("At the limit further events are refused with 429, and none is lost unseen."),
  sandboxEventsPerDay: t("At the limit further test events are refused with 429."),
  notifications: t("At the limit notifications are kept but not sent; each can be sent later by hand."),
};

/** What happens when nothing is left (docs/plans.md). */
export const consequence = (quota: string): string => AT_THE_LIMIT[quota] ?? t("At the limit one more is refused; what is there stays.");

const WARNED_PERCENT = 80;

export function standing({ limit, percent }: Quota): "free" | "low" | "spent" | "absent" {
  if (limit === 0) return "absent";
  if (limit === null || percent === null || percent < WARNED_PERCENT) return "free";
  return percent >= 100 ? "spent" : "low";
}
