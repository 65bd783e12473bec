import type { Schemas } from "@/lib/api";
import { t } from "@/lib/t";
import type { Plan } from "../plans";
import { QUOTA_NAMES } from "../words";

export type PlanBody = Schemas["PlanBody"];

/** A plan that is not there yet: it has no name. */
export const NEW: Plan = {
  name: "",
  label: "",
  currency: "USD",
  monthlyPriceCents: 0,
  graceDays: 7,
  overage: false,
  features: ["eventApi", "rules", "inbox"],
  support: "",
  quotas: Object.fromEntries(QUOTA_NAMES.map((name) => [name, 0])),
};

export function price(cents: number | null): string {
  if (cents === null) return t("as agreed");
  return (cents / 100).toLocaleString(undefined, { style: "currency", currency: "USD", minimumFractionDigits: cents % 100 ? 2 : 0 });
}

/** The catalogue with this plan in it instead of the one of that name; the cheapest first, those without a price last. */
export function withPlan(plans: readonly Plan[], name: string, plan: PlanBody | null): PlanBody[] {
  const others = plans.filter((each) => each.name !== name).map(bodyOf);
  return [...others, ...(plan ? [plan] : [])].sort((one, other) => (one.monthlyPriceCents ?? Infinity) - (other.monthlyPriceCents ?? Infinity) || 0);
}

function bodyOf({ name, label, monthlyPriceCents, graceDays, overage, features, support, quotas }: Plan): PlanBody {
  return { name, label, monthlyPriceCents, graceDays, overage, features, support, quotas: quotas as unknown as PlanBody["quotas"] };
}
