import { Badge } from "@/components/ui/Badge";
import type { Schemas } from "@/lib/api";
import { t } from "@/lib/t";

export type Mode = Schemas["EventTypeAnswer"]["mode"];

/** What happens to an event whose payload does not fit. */
export const MODES: Record<Mode, { name: string; says: string; badge: string }> = {
  off: { name: t("Off"), says: t("Is an event like any other; the type is only described."), badge: "off" },
  warn: { name: t("Warn"), says: t("Goes its way; the story of the event names what is wrong."), badge: "degraded" },
  reject: { name: t("Reject"), says: t("Is refused with 422 and the places that are wrong."), badge: "critical" },
};

export function ModeBadge({ mode }: { mode: Mode }) {
  const { name, badge } = MODES[mode];
  return <Badge state={badge}>{name}</Badge>;
}
