import { Anchor, Text } from "@mantine/core";
import { Link } from "react-router";
import { Attempt } from "@/components/ui/Attempt";
import { Badge } from "@/components/ui/Badge";
import { Reason } from "@/components/ui/Reason";
import type { Schemas } from "@/lib/api";
import { t, tn } from "@/lib/t";
import { When } from "@/components/ui/When";
import { RuleHead } from "./RuleHead";

type Rule = Schemas["RuleStory"];
type Delivery = Schemas["DeliveryStory"];

/** One rule that was considered: why it did or did not match, and every delivery it led to. */
export function RuleOutcome({ rule }: { rule: Rule }) {
  return (
    <article className="rule-story">
      <RuleHead
        rule={rule}
        state={rule.error ? "error" : rule.matched ? "ok" : "off"}
        words={rule.error ? t("Error") : rule.matched ? t("Matched") : t("Did not match")}
        sentence={rule.reason}
      >
        {rule.notificationId && (
          <Text size="sm">
            <Anchor component={Link} to={`/notifications/${rule.notificationId}`} size="sm">
              {t("Notification")}
            </Anchor>{" "}
            {tn(rule.recipientsTotal, "to 1 person", "to {n} people")}
          </Text>
        )}
      </RuleHead>
      {rule.deliveries.map((delivery) => (
        <DeliveryOutcome key={delivery.id} delivery={delivery} />
      ))}
      {rule.deliveriesTotal > rule.deliveries.length && (
        <Text size="sm" c="dimmed" p="sm">
          {t("… and {n} more deliveries.", { n: rule.deliveriesTotal - rule.deliveries.length })}
        </Text>
      )}
    </article>
  );
}

export function DeliveryOutcome({ delivery }: { delivery: Delivery }) {
  return (
    <div className="delivery">
      <div style={{ display: "flex", gap: 10, alignItems: "center", flexWrap: "wrap" }}>
        <span className="chip">{delivery.channel}</span>
        <Badge state={delivery.state} />
        {delivery.destination && <Text size="sm">{delivery.destination.name}</Text>}
        {delivery.dueAt && (
          <Text size="xs" c="dimmed">
            {t("next attempt")} <When time={delivery.dueAt} />
          </Text>
        )}
        {delivery.connectionReason && (
          <Text size="xs" c="dimmed">
            {delivery.connectionReason}
          </Text>
        )}
      </div>
      {delivery.lastError && delivery.attempts.length === 0 && <Reason words={delivery.lastError} />}
      {delivery.attempts.map((attempt) => (
        <Attempt key={attempt.number} {...attempt} />
      ))}
    </div>
  );
}
