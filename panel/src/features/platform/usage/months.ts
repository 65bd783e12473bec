/** The last months of UTC, the newest first: `2026-11`, and as people say it. */
export function lastMonths(now: Date, count: number): { value: string; label: string }[] {
  return Array.from({ length: count }, (_, back) => {
    const first = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back, 1));
    const label = first.toLocaleDateString(undefined, { month: "long", year: "numeric", timeZone: "UTC" });
    return { value: first.toISOString().slice(0, "2026-11".length), label };
  });
}
