import { Button, Group, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { answered, api } from "@/lib/api";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";
import { STARTERS, type Starter } from "./starters";

/** A first rule, chosen by what one wants to hear of, and kept as any other. */
export function RuleStep({ next }: { next: (type: string) => void }) {
  const [chosen, setChosen] = useState<Starter>(STARTERS[0]!);
  const making = useMutation({
    mutationFn: () => answered(api.POST("/api/v1/rules", { body: chosen.rule })),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["rules"] });
      next(chosen.rule.eventTypes[0]!);
    },
  });
  return (
    <Section>
      <Stack>
        <Text size="sm" id="starter">
          {t("Of what do you want to hear?")}
        </Text>
        <div className="choices" role="radiogroup" aria-labelledby="starter">
          {STARTERS.map((starter) => (
            <button key={starter.rule.name} type="button" role="radio" aria-checked={starter === chosen} className="choice" onClick={() => setChosen(starter)}>
              <strong>{starter.rule.name}</strong>
              <span>{starter.says}</span>
            </button>
          ))}
        </div>
        <Text size="sm" c="dimmed">
          {t("When {type} comes", { type: chosen.rule.eventTypes.join(", ") })}
          {chosen.rule.condition && <> {t("and")} <code>{chosen.rule.condition}</code></>}
          {t(", the owner is told: ")}
          <strong>{chosen.rule.title}</strong>
        </Text>
        {making.error && <Failed error={making.error} />}
        <Group justify="flex-end">
          <Button loading={making.isPending} onClick={() => making.mutate()}>
            {t("Make this rule")}
          </Button>
        </Group>
      </Stack>
    </Section>
  );
}
