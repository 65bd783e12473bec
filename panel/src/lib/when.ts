import { t } from "./t";

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["second", 60],
  ["minute", 60],
  ["hour", 24],
  ["day", 30],
  ["month", 12],
  ["year", Infinity],
];
const NOW_SECONDS = 5;
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });

/** "3 min ago", in the reader's language. */
export function ago(time: string, now = Date.now()): string {
  let amount = (new Date(time).getTime() - now) / 1000;
  if (Math.abs(amount) < NOW_SECONDS) return t("just now");
  for (const [unit, size] of STEPS) {
    if (Math.abs(amount) < size) return relative.format(Math.round(amount), unit);
    amount /= size;
  }
  return time;
}

const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function exact(time: string): string {
  return whole.format(new Date(time));
}

export function milliseconds(ms: number): string {
  return ms < 1000 ? t("{n} ms", { n: Math.round(ms) }) : t("{n} s", { n: (ms / 1000).toFixed(1) });
}
