import { Anchor, Button, Group, SegmentedControl, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useNavigate } from "react-router";
import { Json } from "@/components/ui/Code";
import { CodeField } from "@/components/ui/CodeField";
import { Section } from "@/components/ui/Page";
import { Failed, Marked } from "@/components/ui/States";
import { tell } from "@/components/ui/told";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { asProblem, type Problem } from "@/lib/problem";
import { queries } from "@/lib/queries";
import { useMay } from "@/lib/session";
import { t, tn } from "@/lib/t";
import { learn, objectIn, written, type Draft, type EventType } from "./draft";
import { MODES, type Mode } from "./modes";

type Event = Schemas["EventSummary"];

interface Props {
  draft: Draft;
  events: Event[];
  type?: EventType;
  /** Whether it is another environment's, to be looked at only. */
  fixed?: boolean;
}

export function TypeForm({ draft, events, type, fixed = false }: Props) {
  const may = useMay("rules:manage") && !fixed;
  const go = useNavigate();
  const [values, setValues] = useState(draft);
  const set = (change: Partial<Draft>) => setValues((before) => ({ ...before, ...change }));
  const [schema, example] = [objectIn(values.schema), objectIn(values.example)];
  const saving = useMutation({
    mutationFn: () => save(type, values, schema, example),
    onSuccess: async (saved) => {
      tell(t("Saved. It counts for events from now on."));
      await queries.invalidateQueries({ queryKey: ["event-types"] });
      if (!type) await go(`/event-types/${saved.id}`, { replace: true });
    },
  });
  const problem = saving.error ? asProblem(saving.error) : null;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        saving.mutate();
      }}
    >
      <fieldset disabled={!may} className="plain">
        <div className="rule-grid">
          <div>
            <Section>
              <Stack>
                {!type && <TextInput label={t("Type")} description={t("Dotted words, as events name it.")} placeholder="order.created" required value={values.name} error={problem?.byField.name} onChange={({ currentTarget: { value } }) => set({ name: value })} />}
                <Textarea label={t("Description")} autosize minRows={1} placeholder={t("Somebody bought something.")} value={values.description} error={problem?.byField.description} onChange={({ currentTarget: { value } }) => set({ description: value })} />
                <ModeField mode={values.mode} change={(mode) => set({ mode })} />
              </Stack>
            </Section>
            <Section title={t("What a payload looks like")}>
              <Stack>
                <CodeField
                  label={t("JSON Schema")}
                  description={t("Draft 2020-12; empty takes any payload.")}
                  language="json"
                  value={values.schema}
                  change={(text) => set({ schema: text })}
                  error={schema === "wrong" ? t("This is no JSON object.") : mistakesAt("/schema", problem)}
                  readOnly={!may}
                  height={220}
                />
                <CodeField
                  label={t("Example")}
                  description={t("A payload that fits. Rules are tried on it.")}
                  language="json"
                  value={values.example}
                  change={(text) => set({ example: text })}
                  error={example === "wrong" ? t("This is no JSON object.") : mistakesAt("/example", problem)}
                  readOnly={!may}
                />
              </Stack>
            </Section>
          </div>
          <div className="rule-trial">
            <Latest events={events} may={may} learnt={() => set({ schema: learn(events) })} taken={(event) => set({ example: written(event.payload) })} />
          </div>
        </div>
        {problem && !problem.errors.length && <Failed error={problem} />}
        {may && (
          <Group mt="md">
            <Button type="submit" loading={saving.isPending} disabled={schema === "wrong" || example === "wrong"}>
              {t("Save")}
            </Button>
            <Marked problem={problem} />
          </Group>
        )}
      </fieldset>
    </form>
  );
}

function save(type: EventType | undefined, { name, description, mode }: Draft, schema: unknown, example: unknown): Promise<EventType> {
  const body = { description: description.trim() || null, mode, schema, example } as Schemas["EventTypeUpdate"];
  return type
    ? answered(api.PUT("/api/v1/event-types/{event_type_id}", { params: { path: { event_type_id: type.id } }, body }))
    : answered(api.POST("/api/v1/event-types", { body: { ...body, name } as Schemas["EventTypeCreate"] }));
}

/** What the server found in a document, each with its place inside. */
function mistakesAt(field: string, problem: Problem | null): string | null {
  const found = problem?.errors.filter(({ pointer }) => pointer === field || pointer.startsWith(`${field}/`)) ?? [];
  return found.map(({ pointer, detail }) => [pointer.slice(field.length), detail].filter(Boolean).join(": ")).join("\n") || null;
}

function ModeField({ mode, change }: { mode: Mode; change: (mode: Mode) => void }) {
  return (
    <div>
      <Text size="sm" fw={500} mb={4} id="mode">
        {t("A payload that does not fit")}
      </Text>
      <SegmentedControl
        aria-labelledby="mode"
        size="xs"
        value={mode}
        onChange={(chosen) => change(chosen as Mode)}
        data={Object.entries(MODES).map(([value, { name }]) => ({ value, label: name }))}
      />
      <Text size="xs" c="dimmed" mt={4}>
        {MODES[mode].says}
      </Text>
    </div>
  );
}

interface LatestProps {
  events: Event[];
  may: boolean;
  learnt: () => void;
  taken: (event: Event) => void;
}

/** What was really sent, to begin with and to compare with. */
function Latest({ events, may, learnt, taken }: LatestProps) {
  const newest = events[0];
  return (
    <Section title={t("The latest event")}>
      {!newest ? (
        <Text size="sm" c="dimmed">
          {t("None of this type yet. Once one was sent, a schema can be made of it.")}
        </Text>
      ) : (
        <Stack gap="sm">
          <Anchor component={Link} to={`/events/${newest.id}`} size="sm">
            <When time={newest.receivedAt} />
          </Anchor>
          <Json value={newest.payload} label={t("Payload of the latest event")} />
          {may && (
            <Group gap="xs">
              <Button variant="default" size="xs" onClick={learnt}>
                {tn(events.length, "Make a schema of it", "Make a schema of the latest {n}")}
              </Button>
              <Button variant="default" size="xs" onClick={() => taken(newest)}>
                {t("Take it as the example")}
              </Button>
            </Group>
          )}
        </Stack>
      )}
    </Section>
  );
}
