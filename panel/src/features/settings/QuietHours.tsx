import { Chip, Group, Input, Switch, TextInput } from "@mantine/core";
import type { Schemas } from "@/lib/api";
import { t } from "@/lib/t";
import { Part } from "./Part";
import { update } from "./project";

type Quiet = NonNullable<Schemas["SettingsUpdate"]["quietHours"]>;
type Day = NonNullable<Quiet["days"]>[number];

const DAYS: [Day, string][] = [
  ["mon", t("Mon")],
  ["tue", t("Tue")],
  ["wed", t("Wed")],
  ["thu", t("Thu")],
  ["fri", t("Fri")],
  ["sat", t("Sat")],
  ["sun", t("Sun")],
];
const EVERY_DAY = DAYS.map(([day]) => day);

/** For everybody who has said nothing else. */
export function QuietHours({ quiet }: { quiet: Quiet | null }) {
  const initial = { quietHours: quiet !== null, from: quiet?.from ?? "22:00", to: quiet?.to ?? "07:00", days: quiet?.days ?? EVERY_DAY };
  const save = ({ quietHours, from, to, days }: typeof initial) =>
    update({ quietHours: quietHours ? { from, to, ...(days.length < DAYS.length && { days }), ...(quiet?.channels && { channels: quiet.channels }) } : null });
  return (
    <Part title={t("Quiet hours")} lead={t("In these hours only what is critical disturbs people; the rest waits until they end. Each person's own wishes come first, and their own time zone counts.")} initial={initial} save={save}>
      {(form) => (
        <>
          <Switch label={t("Keep quiet hours")} {...form.getInputProps("quietHours", { type: "checkbox" })} />
          {form.values.quietHours && (
            <>
              <Group>
                <TextInput label={t("From")} type="time" w={130} {...form.getInputProps("from")} />
                <TextInput label={t("Until")} type="time" w={130} {...form.getInputProps("to")} />
              </Group>
              <Input.Wrapper label={t("On")} labelElement="div" error={form.errors.days}>
                <Chip.Group multiple {...form.getInputProps("days")}>
                  <Group gap={6} mt={4} role="group" aria-label={t("Days")}>
                    {DAYS.map(([day, name]) => (
                      <Chip key={day} value={day} size="xs" radius="sm">
                        {name}
                      </Chip>
                    ))}
                  </Group>
                </Chip.Group>
              </Input.Wrapper>
            </>
          )}
        </>
      )}
    </Part>
  );
}
