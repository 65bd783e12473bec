import { Switch, Textarea, TextInput } from "@mantine/core";
import { Choice } from "@/components/ui/Choice";
import { Duration } from "@/components/ui/Duration";
import { Fold } from "@/components/ui/Fold";
import { t } from "@/lib/t";
import { DaysField } from "./DaysField";
import type { Draft } from "./draft";
import type { Editing } from "./editing";
import { Fields, Option } from "./Fields";
import { Times } from "./InsistPart";
import { hoursLine } from "./summary";
import { TemplateField } from "./TemplateField";
import { Translations } from "./Translations";
import { ZoneField } from "./ZoneField";

type Active = NonNullable<Draft["activeTimes"]>;

const OFFICE: Active = { from: "08:00", to: "18:00", outside: "skip" };
const THROTTLE = { max: 3, perSeconds: 3600 };
const DIGEST: NonNullable<Draft["digest"]> = { windowSeconds: 3600, maxItems: 100, leading: false, title: null, message: null };

/** When the rule is at work, how often it reaches a person, and what it gathers. */
export function HoursPart({ rule }: { rule: Editing }) {
  const { activeTimes, throttle, digest } = rule.values;
  const wrong = ["activeTimes", "throttle", "digest"].some((name) => rule.error(name));
  return (
    <Fold title={t("Hours and limits")} summary={hoursLine(rule.values)} opened={Boolean(activeTimes ?? throttle ?? digest)} wrong={wrong}>
      <Fields>
        <ActiveTimes rule={rule} />
        <Throttle rule={rule} />
        <Digest rule={rule} />
      </Fields>
    </Fold>
  );
}

function ActiveTimes({ rule: { values, set, error } }: { rule: Editing }) {
  const times = values.activeTimes;
  const change = (changes: Partial<Active>) => set({ activeTimes: { ...times!, ...changes } });
  return (
    <Option
      label={t("Only at certain hours")}
      on={times !== null}
      error={error("activeTimes", true)}
      change={(on) => set({ activeTimes: on ? OFFICE : null })}
    >
      <div className="pair">
        <TextInput type="time" label={t("From")} value={times?.from} error={error("activeTimes.from")} onChange={({ currentTarget }) => change({ from: currentTarget.value })} />
        <TextInput type="time" label={t("To")} value={times?.to} error={error("activeTimes.to")} onChange={({ currentTarget }) => change({ to: currentTarget.value })} />
      </div>
      <DaysField value={times?.days} error={error("activeTimes.days")} change={(days) => change({ days: days ?? undefined })} />
      <ZoneField
        value={times?.timezone}
        placeholder={t("The project's")}
        error={error("activeTimes.timezone")}
        change={(timezone) => change({ timezone: timezone ?? undefined })}
      />
      <Choice
        label={t("At other hours")}
        value={times?.outside ?? "skip"}
        error={error("activeTimes.outside")}
        change={(outside) => change({ outside })}
        data={[
          { value: "skip", label: t("Leave it out") },
          { value: "hold", label: t("Let it wait") },
        ]}
      />
    </Option>
  );
}

function Throttle({ rule: { values, set, error } }: { rule: Editing }) {
  const throttle = values.throttle ?? THROTTLE;
  return (
    <Option
      label={t("Only so many for each person")}
      description={t("The others stand in the feed, and disturb nobody.")}
      on={values.throttle !== null}
      error={error("throttle", true)}
      change={(on) => set({ throttle: on ? THROTTLE : null })}
    >
      <div className="pair">
        <Times label={t("At most")} most={1_000} value={throttle.max} error={error("throttle.max")} change={(max) => set({ throttle: { ...throttle, max } })} />
        <Duration label={t("Within")} value={throttle.perSeconds} error={error("throttle.perSeconds")} change={(perSeconds) => set({ throttle: { ...throttle, perSeconds } })} />
      </div>
    </Option>
  );
}

function Digest({ rule: { values, set, error } }: { rule: Editing }) {
  const digest = values.digest ?? DIGEST;
  const change = (changes: Partial<typeof digest>) => set({ digest: { ...digest, ...changes } });
  return (
    <Option
      label={t("Gather what comes within a while")}
      description={t("Each person gets one message for all of it. Live sockets are told at once.")}
      on={values.digest !== null}
      error={error("digest", true)}
      change={(on) => set({ digest: on ? DIGEST : null })}
    >
      <div className="pair">
        <Duration label={t("For")} value={digest.windowSeconds} error={error("digest.windowSeconds")} change={(windowSeconds) => change({ windowSeconds })} />
        <Times label={t("List so many")} most={100} value={digest.maxItems ?? 100} error={error("digest.maxItems")} change={(maxItems) => change({ maxItems })} />
      </div>
      <Switch label={t("Tell the first one at once")} checked={digest.leading} onChange={({ currentTarget }) => change({ leading: currentTarget.checked })} />
      <TextInput
        label={t("Title of all together")}
        placeholder="{{ count }} × {{ rule.name }}"
        value={digest.title ?? ""}
        error={error("digest.title")}
        onChange={({ currentTarget }) => change({ title: currentTarget.value || null })}
      />
      <Textarea
        label={t("Words of all together")}
        placeholder="{% for item in items %}{{ item.title }} {% endfor %}"
        autosize
        minRows={2}
        value={digest.message ?? ""}
        error={error("digest.message")}
        onChange={({ currentTarget }) => change({ message: currentTarget.value || null })}
      />
      <TemplateField kind="digest" value={digest.template ?? null} error={error("digest.template")} change={(template) => change({ template })} />
      <Translations path="digest.translations" links={false} translations={digest.translations ?? {}} error={error} change={(translations) => change({ translations })} />
    </Option>
  );
}
