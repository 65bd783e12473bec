import { Button, Group, Stack, Switch, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { Section } from "@/components/ui/Page";
import { WeekdayChips } from "@/components/ui/WeekdayChips";
import type { Schemas } from "@/lib/api";
import { t } from "@/lib/t";
import { WEEKDAYS, type Weekday } from "@/lib/weekdays";
import type { Change } from "./preferences";

type Hours = Schemas["Quiet"];

const NIGHT: Hours = { from: "22:00", to: "07:00" };

/** When nothing rings. What comes meanwhile waits until they end. */
export function QuietHours({ hours, change }: { hours: Hours | null; change: (change: Change) => void }) {
  const toggle = (on: boolean) => change({ quietHours: on ? NIGHT : null });
  return (
    <Section title={t("Quiet hours")} aside={<Switch checked={hours !== null} onChange={({ currentTarget: { checked } }) => toggle(checked)} aria-label={t("Quiet hours of my own")} />}>
      {hours ? (
        <HoursForm hours={hours} save={(quietHours) => change({ quietHours })} />
      ) : (
        <Text size="sm" c="dimmed">
          {t("None of your own.")}
        </Text>
      )}
    </Section>
  );
}

function HoursForm({ hours, save }: { hours: Hours; save: (hours: Hours) => void }) {
  const [from, setFrom] = useState(hours.from);
  const [to, setTo] = useState(hours.to);
  const [days, setDays] = useState<readonly Weekday[]>(hours.days ?? WEEKDAYS);
  const { days: _, ...rest } = hours;
  const next: Hours = { ...rest, from, to, ...(days.length < WEEKDAYS.length && { days: [...days] }) };
  const dirty = JSON.stringify([next.from, next.to, next.days]) !== JSON.stringify([hours.from, hours.to, hours.days]);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        save(next);
      }}
    >
      <Stack gap="sm">
        <Group>
          <TextInput label={t("From")} type="time" required value={from} onChange={({ currentTarget }) => setFrom(currentTarget.value)} w={130} />
          <TextInput label={t("Until")} type="time" required value={to} onChange={({ currentTarget }) => setTo(currentTarget.value)} w={130} />
        </Group>
        <WeekdayChips value={days} change={setDays} label={t("On these days they begin")} />
        <Text size="xs" c="dimmed">
          {t("Days are those on which they begin. What comes meanwhile waits until they end.")}
        </Text>
        <Group>
          <Button type="submit" size="xs" disabled={!dirty || days.length === 0}>
            {t("Save the hours")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
