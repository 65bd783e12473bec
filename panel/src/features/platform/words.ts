import { t } from "@/lib/t";

/** What a plan limits, in the order in which people ask about it. */
export const QUOTAS = {
  events: t("Events a month"),
  notifications: t("Notifications a month"),
  messages: t("Messages a month"),
  users: t("People"),
  teamMembers: t("Team members"),
  rules: t("Rules"),
  sounds: t("Sounds"),
  campaigns: t("Campaigns"),
  bots: t("Bots and numbers"),
  webhooks: t("Webhooks"),
  apiCallsPerHour: t("API calls an hour"),
  storageBytes: t("Storage, bytes"),
  sandboxEventsPerDay: t("Sandbox events a day"),
} as const;

export type Quota = keyof typeof QUOTAS;
export const QUOTA_NAMES = Object.keys(QUOTAS) as Quota[];

const FEATURE_NAMES: Record<string, string> = {
  eventApi: t("Event API"),
  rules: t("Rules"),
  inbox: t("Inbox"),
  webhooks: t("Webhooks"),
  automation: t("Automation"),
  abTests: t("A/B tests"),
  customReports: t("Reports of one's own"),
  languages: t("Languages"),
  customDomain: t("Custom domain"),
  whiteLabel: t("White label"),
  customIntegrations: t("Custom integrations"),
  keyIpLists: t("Addresses of API keys"),
  aiSuggestions: t("Suggestions by AI"),
  sla: t("Service level"),
};
export const FEATURES = Object.keys(FEATURE_NAMES);

/** One that an operator invented is called what they called it. */
export const feature = (name: string): string => FEATURE_NAMES[name] ?? name;

/** Features to choose from. */
export const choices = (names: string[]) => names.map((value) => ({ value, label: feature(value) }));

/** A limit as people read it: null is none. */
export function limit(name: string, value: number | null | undefined): string {
  if (value === undefined) return "–";
  if (value === null) return t("unlimited");
  return name === "storageBytes" ? bytes(value) : value.toLocaleString();
}

const UNITS = ["B", "kB", "MB", "GB", "TB"];

export function bytes(value: number): string {
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toFixed(1)).toLocaleString()} ${UNITS[unit]}`;
}

/** A count that stops at a bound: that many or more. */
export function counted(value: number, bound: number): string {
  return value >= bound ? t("{n} or more", { n: bound.toLocaleString() }) : value.toLocaleString();
}

export function percent(rate: number | null): string {
  return rate === null ? "–" : `${Number((rate * 100).toFixed(rate > 0.999 && rate < 1 ? 2 : 1)).toLocaleString()} %`;
}

export function seconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return value < 1 ? t("{n} ms", { n: Math.round(value * 1000) }) : t("{n} s", { n: Number(value.toFixed(1)).toLocaleString() });
}
