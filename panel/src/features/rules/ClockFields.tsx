import { Switch, Text, TextInput } from "@mantine/core";
import { Choice } from "@/components/ui/Choice";
import { t } from "@/lib/t";
import { DaysField } from "./DaysField";
import type { Draft } from "./draft";
import type { Editing } from "./editing";
import { ZoneField } from "./ZoneField";

type Clock = NonNullable<Draft["clock"]>;

interface Props {
  clock: Clock;
  change: (clock: Clock) => void;
  error: Editing["error"];
}

/** A time on some days, or a line of cron. */
export function ClockFields({ clock, change, error }: Props) {
  const byCron = clock.cron != null;
  return (
    <>
      <Text size="sm" c="dimmed">
        {t("It runs by the time of day, and sees what has happened since it ran last.")}
      </Text>
      <Choice
        label={t("The time is given")}
        value={byCron ? "cron" : "time"}
        change={(chosen) => change({ ...clock, ...(chosen === "cron" ? BY_CRON : BY_TIME) })}
        data={[
          { value: "time", label: t("As a time") },
          { value: "cron", label: t("As cron") },
        ]}
      />
      {byCron ? (
        <TextInput
          label={t("Line of cron")}
          description={t("Minute, hour, day of the month, month, day of the week: 0 8 * * 1-5 is 8 o'clock on working days.")}
          value={clock.cron ?? ""}
          error={error("clock.cron") ?? error("clock", true)}
          styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }}
          onChange={({ currentTarget }) => change({ ...clock, cron: currentTarget.value })}
        />
      ) : (
        <div className="pair">
          <TextInput
            type="time"
            label={t("At")}
            value={clock.time ?? ""}
            error={error("clock.time") ?? error("clock", true)}
            onChange={({ currentTarget }) => change({ ...clock, time: currentTarget.value })}
          />
          <DaysField value={clock.days} change={(days) => change({ ...clock, days })} error={error("clock.days")} />
        </div>
      )}
      <ZoneField
        value={clock.timezone}
        special={[
          { value: "project", label: t("The project's") },
          { value: "recipient", label: t("Each person's own") },
        ]}
        error={error("clock.timezone") ?? error("clock.dailySummary")}
        change={(timezone) => change({ ...clock, timezone: timezone ?? "project", dailySummary: timezone === "recipient" && clock.dailySummary })}
      />
      {!byCron && clock.timezone === "recipient" && (
        <Switch
          label={t("A daily summary")}
          description={t("For those alone who have it on, at the time that each of them chose.")}
          checked={clock.dailySummary}
          onChange={({ currentTarget }) => change({ ...clock, dailySummary: currentTarget.checked })}
        />
      )}
    </>
  );
}

const BY_CRON = { cron: "0 8 * * 1-5", time: null, days: null, dailySummary: false };
const BY_TIME = { cron: null, time: "08:00", days: null };
