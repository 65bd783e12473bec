import { Input } from "@mantine/core";
import { useId } from "react";
import { WeekdayChips } from "@/components/ui/WeekdayChips";
import { t } from "@/lib/t";
import type { Weekday } from "@/lib/weekdays";

interface Props {
  value: Weekday[] | null | undefined;
  change: (days: Weekday[] | null) => void;
  error?: string;
}

/** Days of the week; none chosen is every day. */
export function DaysField({ value, change, error }: Props) {
  const id = useId();
  return (
    <Input.Wrapper label={t("On")} labelElement="div" labelProps={{ id }} error={error}>
      <WeekdayChips value={value ?? []} change={(days) => change(days.length ? days : null)} labelledBy={id}>
        {!value?.length && <span className="dimmed">{t("every day")}</span>}
      </WeekdayChips>
    </Input.Wrapper>
  );
}
