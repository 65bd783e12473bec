/** The parts of a rule that are folded up, each in a line. */
import { spoken } from "@/lib/duration";
import type { Schemas } from "@/lib/api";
import { t, tn } from "@/lib/t";
import { WEEKDAYS, weekdayName } from "@/lib/weekdays";
import type { Draft } from "./draft";
import type { Change } from "./replay";

export function insistLine({ requireAck, repeat, escalation }: Pick<Draft, "requireAck" | "repeat" | "escalation">): string {
  if (!requireAck) return t("Told once; nobody has to acknowledge.");
  return joined([
    t("Somebody has to acknowledge"),
    repeat && t("every {time}, {n} times at most", { time: spoken(repeat.everySeconds), n: repeat.maxTimes }),
    escalation?.length && tn(escalation.length, "1 step to others", "{n} steps to others"),
  ]);
}

export function hoursLine({ activeTimes, throttle, digest }: Draft): string {
  const line = joined([
    activeTimes && `${activeTimes.from}–${activeTimes.to}, ${daysLine(activeTimes.days)}`,
    throttle && t("{n} in {time} for each person", { n: throttle.max, time: spoken(throttle.perSeconds) }),
    digest && t("gathered for {time}", { time: spoken(digest.windowSeconds) }),
  ]);
  return line || t("At any time, each one at once.");
}

export function wordsLine({ action, translations, template }: Draft): string {
  const languages = Object.keys(translations ?? {});
  const line = joined([
    action && t("With a link"),
    languages.length > 0 && t("also in {languages}", { languages: languages.join(", ") }),
    template && t("words of the template {name}", { name: template }),
  ]);
  return line || t("No link, one language.");
}

/** Of the ways by which something is told those that are different now. */
export function waysOf(how: Schemas["ReplayHow"], changes: Change[]): [name: string, value: string][] {
  const { channels, afterSeconds, destinations, priority, sound, digest, throttle } = how;
  const inTurn = afterSeconds ? t("one after the other, {time} apart", { time: spoken(afterSeconds) }) : null;
  const all: [Change, string, string][] = [
    ["channels", t("Channels"), joined([channels.join(", ") || t("none"), inTurn])],
    ["destinations", t("Places"), destinations.join(", ") || t("none")],
    ["priority", t("Priority"), priority],
    ["sound", t("Sound"), sound ?? t("none")],
    ["insistence", t("Insists"), insistLine(how)],
    ["digest", t("Digest"), digest ? t("gathered for {time}", { time: spoken(digest.windowSeconds) }) : t("none")],
    ["throttle", t("Limit"), throttle ? t("{n} in {time} for each person", { n: throttle.max, time: spoken(throttle.perSeconds) }) : t("none")],
  ];
  return all.filter(([change]) => changes.includes(change)).map(([, name, value]) => [name, value]);
}

export function daysLine(days: readonly string[] | null | undefined): string {
  if (!days?.length || days.length === WEEKDAYS.length) return t("every day");
  return WEEKDAYS.filter((day) => days.includes(day)).map(weekdayName).join(" ");
}

function joined(parts: (string | false | null | undefined | 0)[]): string {
  return parts.filter(Boolean).join(" · ");
}
