import { Group, Input, Switch, TextInput } from "@mantine/core";
import { WeekdayChips } from "@/components/ui/WeekdayChips";
import type { Schemas } from "@/lib/api";
import { t } from "@/lib/t";
import { WEEKDAYS } from "@/lib/weekdays";
import { Part } from "./Part";
import { update } from "./project";

type Quiet = NonNullable<Schemas["SettingsUpdate"]["quietHours"]>;

/** For everybody who has said nothing else. */
export function QuietHours({ quiet }: { quiet: Quiet | null }) {
  const initial = { quietHours: quiet !== null, from: quiet?.from ?? "22:00", to: quiet?.to ?? "07:00", days: quiet?.days ?? [...WEEKDAYS] };
  const save = ({ quietHours, from, to, days }: typeof initial) =>
    update({ quietHours: quietHours ? { from, to, ...(days.length < WEEKDAYS.length && { days }), ...(quiet?.channels && { channels: quiet.channels }) } : null });
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
                <WeekdayChips value={form.values.days} change={(days) => form.setFieldValue("days", days)} label={t("Days")} />
              </Input.Wrapper>
            </>
          )}
        </>
      )}
    </Part>
  );
}
