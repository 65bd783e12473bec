import { Anchor, Text } from "@mantine/core";
import { Link } from "react-router";
import { Badge } from "@/components/ui/Badge";
import type { Schemas } from "@/lib/api";
import { t, tn } from "@/lib/t";
import { exact } from "@/lib/when";
import { remedyOf } from "./remedy";
import { RuleHead } from "./RuleHead";

type Rule = Schemas["RuleExplained"];
type Delivery = Rule["deliveries"][number];

const TOLD: Record<Rule["code"], [string, string]> = {
  recipient: ["queued", t("Tells them")],
  did_not_match: ["off", t("Did not match")],
  condition_error: ["error", t("Error")],
  render_error: ["error", t("Error")],
  not_targeted: ["off", t("Tells others")],
  targeted_since: ["off", t("Not then")],
  was_not_active: ["pending", t("Was not active")],
  not_known_then: ["off", t("Not known then")],
  beyond_limit: ["pending", t("Too many people")],
  rule_deleted: ["off", t("Rule is gone")],
};

/** What one rule did about a person, and what became of every message that it sent them. */
export function ExplainedRule({ rule, userId }: { rule: Rule; userId: string }) {
  const [state, words] = TOLD[rule.code] ?? ["off", rule.code];
  return (
    <article className="rule-story">
      <RuleHead rule={rule} state={state} words={words} sentence={rule.sentence} gone={rule.code === "rule_deleted"}>
        {rule.notificationId && <Since rule={rule} />}
      </RuleHead>
      {rule.deliveries.map((delivery) => (
        <OneDelivery key={delivery.id} delivery={delivery} rule={rule} userId={userId} />
      ))}
    </article>
  );
}

/** What happened to it in the feed. */
function Since({ rule }: { rule: Rule }) {
  const parts = [
    rule.seenAt && t("seen {time}", { time: exact(rule.seenAt) }),
    rule.readAt && t("read {time}", { time: exact(rule.readAt) }),
    rule.acknowledgedAt && t("acknowledged {time}", { time: exact(rule.acknowledgedAt) }),
    rule.toldAgain > 0 && tn(rule.toldAgain, "told again once", "told again {n} times"),
  ].filter(Boolean);
  return (
    <Text size="sm" c="dimmed">
      <Anchor component={Link} to={`/notifications/${rule.notificationId}`} size="sm" underline="always">
        {t("Notification")}
      </Anchor>
      {parts.map((part) => ` · ${part}`)}
    </Text>
  );
}

function OneDelivery({ delivery, rule, userId }: { delivery: Delivery; rule: Rule; userId: string }) {
  const remedy = remedyOf(delivery, rule.ruleId, userId);
  return (
    <div className="delivery">
      <div className="verdict">
        <span className="chip">{delivery.channel}</span>
        <Badge state={delivery.state} />
        {delivery.round > 0 && <span className="dimmed">{t("again, round {n}", { n: delivery.round })}</span>}
        {remedy && (
          <Anchor component={Link} to={remedy.to} size="sm">
            {remedy.words}
          </Anchor>
        )}
      </div>
      <Text size="sm" mt={4}>
        {delivery.sentence}
      </Text>
      {delivery.attempts.map((attempt) => (
        <Text key={attempt.number} size="sm" c="dimmed">
          {attempt.sentence}
        </Text>
      ))}
    </div>
  );
}
