import type { Schemas } from "@/lib/api";
import { t } from "@/lib/t";

export type Role = Schemas["AdminCreate"]["role"];

export const ROLES: Record<Role, { name: string; words: string }> = {
  super_admin: { name: t("Super admin"), words: t("Everything, other admins included.") },
  support: { name: t("Support"), words: t("Reads, logs in as projects, suspends connections.") },
  billing: { name: t("Billing"), words: t("Plans of projects, their limits, usage.") },
};
