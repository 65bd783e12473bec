import { Anchor, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { t } from "@/lib/t";

interface Props {
  rule: { ruleId: string; ruleName: string; ruleVersion: number };
  state: string;
  words: string;
  sentence: string;
  /** Whether the rule is no more. */
  gone?: boolean;
  children?: ReactNode;
}

/** Which rule it was, and what it said. */
export function RuleHead({ rule, state, words, sentence, gone = false, children }: Props) {
  return (
    <header>
      <Badge state={state}>{words}</Badge>
      {gone ? (
        <Text size="sm" fw={600}>
          {rule.ruleName}
        </Text>
      ) : (
        <Anchor component={Link} to={`/rules/${rule.ruleId}`} size="sm" fw={600}>
          {rule.ruleName}
        </Anchor>
      )}
      <Text size="xs" c="dimmed">
        {t("version {n}", { n: rule.ruleVersion })}
      </Text>
      <Text size="sm" w="100%">
        {sentence}
      </Text>
      {children}
    </header>
  );
}
