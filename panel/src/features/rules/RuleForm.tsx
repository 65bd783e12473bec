import { Button, Group, MultiSelect, NumberInput, SegmentedControl, Stack, Switch, TagsInput, Text, Textarea, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { answered, api } from "@/lib/api";
import { asProblem, type Problem } from "@/lib/problem";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { ConditionEditor } from "./ConditionEditor";
import type { Draft } from "./draft";
import { RuleTrial } from "./RuleTrial";
import { useKnown } from "./known";

interface Props {
  draft: Draft;
  save: (draft: Omit<Draft, "eventTypes"> & Partial<Draft>) => Promise<unknown>;
  saving: boolean;
  /** Whether the rule runs by the time of day: then no event starts it, and nothing of that is asked or sent. */
  clocked?: boolean;
}

const REPEAT = { everySeconds: 300, maxTimes: 3 };

export function RuleForm({ draft, save, saving, clocked = false }: Props) {
  const may = useMay("rules:manage");
  const [problem, setProblem] = useState<Problem | null>(null);
  const form = useForm<Draft>({ initialValues: draft });
  const values = form.values;
  const known = useKnown(values.eventTypes[0]);
  const { data: roles } = useQuery({
    queryKey: ["roles", "names"],
    queryFn: async ({ signal }) => (await answered(api.GET("/api/v1/roles", { params: { query: { limit: 200 } }, signal }))).items.map((role) => role.name),
  });
  const { data: channels } = useQuery({
    queryKey: ["providers", "channels"],
    queryFn: async ({ signal }) => [...new Set((await answered(api.GET("/api/v1/providers", { signal }))).map((provider) => provider.channel))],
  });

  async function submit({ eventTypes, ...rest }: Draft) {
    setProblem(null);
    try {
      await save({ ...rest, condition: rest.condition?.trim() || null, ...(!clocked && { eventTypes }) });
    } catch (error) {
      const refusal = asProblem(error);
      form.setErrors(refusal.byField);
      setProblem(refusal);
    }
  }

  return (
    <form onSubmit={form.onSubmit(submit)}>
      <fieldset disabled={!may} style={{ border: 0, padding: 0, margin: 0, minWidth: 0 }}>
       <div className="rule-grid">
        <div>
        <Section title={t("When")}>
          <Stack>
            <TextInput label={t("Name")} placeholder={t("Large orders")} required {...form.getInputProps("name")} />
            {clocked ? (
              <Text size="sm" c="dimmed">
                {t("It runs by the time of day, which is set over the API.")}
              </Text>
            ) : (
            <TagsInput
              label={t("Event types")}
              description={t("A type, a prefix such as order.*, or * for all. Enter adds one.")}
              data={known.types}
              acceptValueOnBlur
              required={values.eventTypes.length === 0}
              {...form.getInputProps("eventTypes")}
              error={form.errors.eventTypes ?? form.errors["eventTypes.0"]}
            />
            )}
            <ConditionEditor
              value={values.condition ?? ""}
              change={(cel) => form.setFieldValue("condition", cel)}
              fields={known.fields}
              error={form.errors.condition as string | undefined}
            />
          </Stack>
        </Section>
        <Section title={t("Who and how")}>
          <Stack>
            <MultiSelect label={t("Roles")} description={t("Everybody who has one of them is told.")} data={roles ?? values.targetRoles} searchable {...form.getInputProps("targetRoles")} />
            <MultiSelect label={t("Channels")} data={channels?.includes("realtime") ? channels : ["realtime", ...(channels ?? [])]} searchable {...form.getInputProps("channels")} />
            <div>
              <Text size="sm" fw={500} mb={4} id="priority">
                {t("Priority")}
              </Text>
              <SegmentedControl
                aria-labelledby="priority"
                size="xs"
                data={[
                  { value: "low", label: t("Low") },
                  { value: "normal", label: t("Normal") },
                  { value: "high", label: t("High") },
                  { value: "critical", label: t("Critical") },
                ]}
                {...form.getInputProps("priority")}
              />
            </div>
            <Switch
              label={t("Somebody has to acknowledge")}
              checked={values.requireAck}
              onChange={({ currentTarget: { checked } }) => form.setValues({ requireAck: checked, ...(!checked && { repeat: null }) })}
            />
            {values.requireAck && (
              <Switch
                label={t("Repeat until somebody does")}
                checked={Boolean(values.repeat)}
                onChange={({ currentTarget: { checked } }) => form.setFieldValue("repeat", checked ? REPEAT : null)}
              />
            )}
            {values.repeat && (
              <Group grow maw={420}>
                <NumberInput label={t("Every … seconds")} min={10} max={86_400} {...form.getInputProps("repeat.everySeconds")} />
                <NumberInput label={t("At most … times")} min={1} max={100} {...form.getInputProps("repeat.maxTimes")} />
              </Group>
            )}
          </Stack>
        </Section>
        <Section title={t("In which words")}>
          <Stack>
            <TextInput label={t("Title")} description={t("Liquid: {example} prints a field.", { example: "{{ payload.orderId }}" })} placeholder="Order {{ payload.orderId }}" required {...form.getInputProps("title")} />
            <Textarea label={t("Message")} autosize minRows={2} placeholder="{{ payload.amount }} EUR from {{ payload.customer }}" {...form.getInputProps("message")} />
          </Stack>
        </Section>
        </div>
        <div className="rule-trial">
          {!clocked && <RuleTrial draft={values} sample={known.sample} />}
        </div>
       </div>
        {problem && <Failed error={problem} />}
        {may && (
          <Group mt="md">
            <Button type="submit" loading={saving}>
              {t("Save")}
            </Button>
            <Switch label={t("On")} {...form.getInputProps("active", { type: "checkbox" })} />
          </Group>
        )}
      </fieldset>
    </form>
  );
}
