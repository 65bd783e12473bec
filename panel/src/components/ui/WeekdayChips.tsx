import { Chip } from "@mantine/core";
import type { ReactNode } from "react";
import { WEEKDAYS, type Weekday, weekdayName } from "@/lib/weekdays";

interface Props {
  value: readonly string[];
  /** Told the days that are chosen now, in the order of the week. */
  change: (days: Weekday[]) => void;
  /** What the days are for, unless an element of that id says so. */
  label?: string;
  labelledBy?: string;
  children?: ReactNode;
}

/** The days of the week, each a chip that is chosen or not. */
export function WeekdayChips({ value, change, label, labelledBy, children }: Props) {
  return (
    <Chip.Group multiple value={[...value]} onChange={(days) => change(WEEKDAYS.filter((day) => days.includes(day)))}>
      <div className="days" role="group" aria-label={label} aria-labelledby={labelledBy}>
        {WEEKDAYS.map((day) => (
          <Chip key={day} value={day} size="xs" radius="sm" variant="filled">
            {weekdayName(day)}
          </Chip>
        ))}
        {children}
      </div>
    </Chip.Group>
  );
}
