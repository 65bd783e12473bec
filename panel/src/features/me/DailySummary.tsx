import { Group, Switch, Text, TextInput } from "@mantine/core";
import { Section } from "@/components/ui/Page";
import type { Schemas } from "@/lib/api";
import { t } from "@/lib/t";
import type { Change } from "./preferences";

/** Once a day what happened, at a time of one's own. Whether there is one is for a rule of the project to say. */
export function DailySummary({ summary, change }: { summary: Schemas["DailySummaryAnswer"] | undefined; change: (change: Change) => void }) {
  const enabled = summary?.enabled ?? false;
  const time = summary?.time ?? null;
  const save = (next: { enabled: boolean; time: string | null }) => change({ dailySummary: next });
  return (
    <Section title={t("Daily summary")} aside={<Switch checked={enabled} onChange={({ currentTarget: { checked } }) => save({ enabled: checked, time })} aria-label={t("Send me a daily summary")} />}>
      <Group align="flex-end">
        <Text size="sm" c="dimmed" style={{ flex: "1 1 220px" }}>
          {t("The figures of the last day. It comes if a rule of your project sends one to your role.")}
        </Text>
        {enabled && (
          <TextInput
            label={t("At")}
            type="time"
            w={130}
            defaultValue={time ?? ""}
            onBlur={({ currentTarget: { value } }) => {
              if ((value || null) !== time) save({ enabled, time: value || null });
            }}
          />
        )}
      </Group>
    </Section>
  );
}
