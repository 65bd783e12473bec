export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Day = (typeof DAYS)[number];

const MONDAY = Date.UTC(2024, 0, 1);
const short = new Intl.DateTimeFormat(undefined, { weekday: "short", timeZone: "UTC" });

/** "Mon", in the reader's language. */
export function dayName(day: Day): string {
  return short.format(MONDAY + DAYS.indexOf(day) * 86_400_000);
}
