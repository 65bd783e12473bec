import { t, tn } from "./t";

/** The units in which people say how long, the longest first. */
export const UNITS = [
  { name: "hours", seconds: 3600 },
  { name: "minutes", seconds: 60 },
  { name: "seconds", seconds: 1 },
] as const;
export type Unit = (typeof UNITS)[number];

/** The longest unit that says it without a rest. */
export function unitOf(seconds: number): Unit {
  return UNITS.find((unit) => seconds >= unit.seconds && seconds % unit.seconds === 0) ?? UNITS[2];
}

/** "5 minutes" for 300. */
export function spoken(seconds: number): string {
  const unit = unitOf(seconds);
  const amount = seconds / unit.seconds;
  if (unit.name === "hours") return tn(amount, "1 hour", "{n} hours");
  if (unit.name === "minutes") return tn(amount, "1 minute", "{n} minutes");
  return tn(amount, "1 second", "{n} seconds");
}

export function unitName({ name }: Unit): string {
  return { hours: t("hours"), minutes: t("minutes"), seconds: t("seconds") }[name];
}
