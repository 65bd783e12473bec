import { Button, Chip, Group, Stack, Switch, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { Section } from "@/components/ui/Page";
import type { Schemas } from "@/lib/api";
import { t } from "@/lib/t";
import type { Change } from "./preferences";

type Hours = Schemas["Quiet"];
type Day = NonNullable<Hours["days"]>[number];

const NIGHT: Hours = { from: "22:00", to: "07:00" };
const DAYS: [Day, string][] = [
  ["mon", t("Mon")],
  ["tue", t("Tue")],
  ["wed", t("Wed")],
  ["thu", t("Thu")],
  ["fri", t("Fri")],
  ["sat", t("Sat")],
  ["sun", t("Sun")],
];
const EVERY = DAYS.map(([day]) => day);

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
  const [days, setDays] = useState<string[]>(hours.days ?? EVERY);
  const { days: _, ...rest } = hours;
  const next: Hours = { ...rest, from, to, ...(days.length < EVERY.length && { days: EVERY.filter((day) => days.includes(day)) }) };
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
        <Chip.Group multiple value={days} onChange={setDays}>
          <Group gap={6} role="group" aria-label={t("On these days they begin")}>
            {DAYS.map(([day, name]) => (
              <Chip key={day} value={day} size="xs">
                {name}
              </Chip>
            ))}
          </Group>
        </Chip.Group>
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
