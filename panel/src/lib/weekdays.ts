export const WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Weekday = (typeof WEEKDAYS)[number];

const MONDAY = Date.UTC(2024, 0, 1);
const short = new Intl.DateTimeFormat(undefined, { weekday: "short", timeZone: "UTC" });

/** "Mon", in the reader's language. */
export function weekdayName(day: Weekday): string {
  return short.format(MONDAY + WEEKDAYS.indexOf(day) * 86_400_000);
}
