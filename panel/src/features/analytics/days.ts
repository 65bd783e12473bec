const A_DAY_MS = 86_400_000;

/** The last days of UTC, today included, oldest first: `2026-11-22`. */
export function lastDays(count: number, now = Date.now()): string[] {
  return Array.from({ length: count }, (_, place) => new Date(now - (count - 1 - place) * A_DAY_MS).toISOString().slice(0, 10));
}

/** How far back, in whole hours, the beginning of the first of these days is. */
export function hoursOf(days: number, now = Date.now()): number {
  return (days - 1) * 24 + new Date(now).getUTCHours() + 1;
}

/** The first days of the last months of UTC, this one included, oldest first. */
export function lastMonths(count: number, now = Date.now()): string[] {
  const today = new Date(now);
  const first = (back: number) => new Date(Date.UTC(today.getUTCFullYear(), today.getUTCMonth() - back, 1));
  return Array.from({ length: count }, (_, place) => first(count - 1 - place).toISOString().slice(0, 10));
}

export function dayName(day: string): string {
  return new Date(day).toLocaleDateString(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
}

export function monthName(day: string): string {
  return new Date(day).toLocaleDateString(undefined, { month: "short", year: "numeric", timeZone: "UTC" });
}
