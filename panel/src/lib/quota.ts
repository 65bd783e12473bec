import { t } from "./t";

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

const UNITS = ["kB", "MB", "GB", "TB"];

/** A number as people read it; bytes in the unit that fits. */
export function amount(quota: string, value: number): string {
  if (quota !== "storageBytes") return value.toLocaleString();
  let [size, unit] = [value / 1000, 0];
  while (size >= 1000 && unit < UNITS.length - 1) [size, unit] = [size / 1000, unit + 1];
  return `${size.toLocaleString(undefined, { maximumFractionDigits: 1 })} ${UNITS[unit]}`;
}
