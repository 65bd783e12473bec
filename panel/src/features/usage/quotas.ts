import type { Schemas } from "@/lib/api";
import { t } from "@/lib/t";

export type Quota = Schemas["StandingAnswer"];

const NAMES: Record<string, string> = {
  events: t("Events"),
  notifications: t("Notifications"),
  messages: t("Messages"),
  sandboxEventsPerDay: t("Events of today in Test"),
  users: t("People"),
  teamMembers: t("People with access to this panel"),
  rules: t("Rules"),
  sounds: t("Own sounds"),
  campaigns: t("Campaigns"),
  bots: t("Connections, but webhooks and mail"),
  webhooks: t("Webhooks"),
  storageBytes: t("Storage"),
};

/** A quota that is newer than this panel is told by its own name. */
export const quotaName = (quota: string): string => NAMES[quota] ?? quota;

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

const UNITS = ["kB", "MB", "GB", "TB"];

/** A number as people read it; bytes in the unit that fits. */
export function amount(quota: string, value: number): string {
  if (quota !== "storageBytes") return value.toLocaleString();
  let [size, unit] = [value / 1000, 0];
  while (size >= 1000 && unit < UNITS.length - 1) [size, unit] = [size / 1000, unit + 1];
  return `${size.toLocaleString(undefined, { maximumFractionDigits: 1 })} ${UNITS[unit]}`;
}
