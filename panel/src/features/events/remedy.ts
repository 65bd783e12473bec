import type { Schemas } from "@/lib/api";
import { t } from "@/lib/t";

type Delivery = Schemas["DeliveryExplained"];

export interface Remedy {
  to: string;
  words: string;
}

/** Where the reason for what became of a delivery can be looked at; null where there is no more to see. */
export function remedyOf({ code, detail }: Pick<Delivery, "code" | "detail">, ruleId: string, userId: string): Remedy | null {
  const rule = { to: `/rules/${ruleId}`, words: t("The rule") };
  const wishes = `/users/${userId}#preferences`;
  switch (code) {
    case "held":
      return detail?.startsWith("active times") ? rule : { to: wishes, words: t("Their quiet hours") };
    case "switched_off":
    case "not_subscribed":
      return { to: wishes, words: t("Their preferences") };
    case "throttled":
    case "gathered":
    case "in_digest":
      return rule;
    case "no_address":
    case "device_gone":
    case "blocked":
    case "opted_out":
      return { to: `/users/${userId}`, words: t("Their addresses") };
    case "person_not_active":
      return { to: `/users/${userId}`, words: t("The person") };
    case "over_quota":
      return { to: "/usage", words: t("Plan and usage") };
    case "no_connection":
    case "waits_for_connection":
    case "not_reachable":
    case "retrying":
    case "gave_up":
      return { to: "/connections", words: t("Connections") };
    default:
      return null;
  }
}
