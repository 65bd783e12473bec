import { TagsInput, Textarea, TextInput } from "@mantine/core";
import { Choice } from "@/components/ui/Choice";
import { Section } from "@/components/ui/Page";
import { t } from "@/lib/t";
import { ClockFields } from "./ClockFields";
import { ConditionEditor } from "./ConditionEditor";
import type { Editing } from "./editing";
import { Fields } from "./Fields";

interface Props {
  rule: Editing;
  types: string[];
  fields: string[];
}

/** What makes the rule run: events, or the time of day. */
export function TriggerPart({ rule, types, fields }: Props) {
  const { values, set, error } = rule;
  const { clock } = values;
  return (
    <Section title={t("When")}>
      <Fields>
        <TextInput
          label={t("Name")}
          placeholder={t("Large orders")}
          required
          value={values.name}
          error={error("name")}
          onChange={({ currentTarget }) => set({ name: currentTarget.value })}
        />
        <Textarea
          label={t("What it is for")}
          autosize
          minRows={1}
          value={values.description ?? ""}
          error={error("description")}
          onChange={({ currentTarget }) => set({ description: currentTarget.value || null })}
        />
        <Choice
          label={t("It runs")}
          value={clock ? "clock" : "events"}
          change={(chosen) => set(chosen === "clock" ? { clock: MORNING, eventTypes: [] } : { clock: null })}
          data={[
            { value: "events", label: t("When something happens") },
            { value: "clock", label: t("At a time of day") },
          ]}
        />
        {clock ? (
          <ClockFields clock={clock} change={(next) => set({ clock: next })} error={error} />
        ) : (
          <TagsInput
            label={t("Event types")}
            description={t("A type, a prefix such as order.*, or * for all that you send. Enter adds one.")}
            data={types}
            acceptValueOnBlur
            required={values.eventTypes.length === 0}
            value={values.eventTypes}
            error={error("eventTypes") ?? error("clock")}
            onChange={(eventTypes) => set({ eventTypes })}
          />
        )}
        <ConditionEditor
          value={values.condition ?? ""}
          change={(cel) => set({ condition: cel.trim() ? cel : null })}
          fields={fields}
          error={error("condition")}
        />
      </Fields>
    </Section>
  );
}

const MORNING = { time: "08:00", timezone: "project", dailySummary: false };
