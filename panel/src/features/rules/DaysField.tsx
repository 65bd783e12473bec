import { Chip, Input } from "@mantine/core";
import { useId } from "react";
import { t } from "@/lib/t";
import { type Day, dayName, DAYS } from "./days";

interface Props {
  value: Day[] | null | undefined;
  change: (days: Day[] | null) => void;
  error?: string;
}

/** Days of the week; none chosen is every day. */
export function DaysField({ value, change, error }: Props) {
  const id = useId();
  return (
    <Input.Wrapper label={t("On")} labelElement="div" labelProps={{ id }} error={error}>
      <Chip.Group multiple value={value ?? []} onChange={(days) => change(days.length ? DAYS.filter((day) => days.includes(day)) : null)}>
        <div className="days" role="group" aria-labelledby={id}>
          {DAYS.map((day) => (
            <Chip key={day} value={day} size="xs" radius="sm" variant="filled">
              {dayName(day)}
            </Chip>
          ))}
          {!value?.length && <span className="dimmed">{t("every day")}</span>}
        </div>
      </Chip.Group>
    </Input.Wrapper>
  );
}
