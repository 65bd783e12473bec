import { QUOTA_NAMES, type Quota } from "../words";

/** What one project has instead of its plan. A quota that is left out is the plan's; null is unlimited. */
export interface Overrides {
  quotas: Partial<Record<Quota, number | null>>;
  features: Record<string, boolean>;
  overage: boolean | null;
}

/** The same as a form holds it. */
export interface LimitsDraft {
  quotas: Record<Quota, { value: number | ""; unlimited: boolean }>;
  more: string[];
  less: string[];
  overage: "plan" | "yes" | "no";
}

const OVERAGE = { plan: null, yes: true, no: false };

export function draftOf(overrides: Partial<Overrides> | null): LimitsDraft {
  const { quotas = {}, features = {}, overage = null } = overrides ?? {};
  const rows = QUOTA_NAMES.map((name) => [name, { value: quotas[name] ?? "", unlimited: quotas[name] === null }]);
  const having = (wanted: boolean) => Object.keys(features).filter((name) => features[name] === wanted);
  return { quotas: Object.fromEntries(rows), more: having(true), less: having(false), overage: overage === null ? "plan" : overage ? "yes" : "no" };
}

/** As the server takes them; null when the project has nothing of its own. */
export function overridesOf({ quotas, more, less, overage }: LimitsDraft): Overrides | null {
  const own: Overrides["quotas"] = {};
  for (const name of QUOTA_NAMES) {
    const { value, unlimited } = quotas[name];
    if (unlimited) own[name] = null;
    else if (value !== "") own[name] = value;
  }
  const features = Object.fromEntries([...more.map((name) => [name, true]), ...less.map((name) => [name, false])]);
  if (!Object.keys(own).length && !Object.keys(features).length && overage === "plan") return null;
  return { quotas: own, features, overage: OVERAGE[overage] };
}
