import { Button, Group, JsonInput, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Badge } from "@/components/ui/Badge";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { answered, api, type Schemas } from "@/lib/api";
import { useMay } from "@/lib/session";
import { t, tn } from "@/lib/t";
import { EventPicker, usePastEvents } from "../events/EventPicker";
import { SAMPLE, typed } from "../events/send";
import { type Draft, judged } from "./draft";
import type { Sample } from "./known";

type Event = Schemas["EventSummary"];
type Verdict = Schemas["TestAnswer"];

/** What the rule, as it stands in the form, would do with a real event of the past, or with one made up. */
export function RuleTrial({ draft, sample }: { draft: Draft; sample: Sample | null }) {
  const may = useMay("rules:manage");
  const [changed, setChanged] = useState<{ type: string; payload: string } | null>(null);
  const event = changed ?? {
    type: sample?.type ?? (draft.eventTypes[0]?.replace(/\.?\*$/, ".created").replace(/^\..*/, "") || SAMPLE.type),
    payload: JSON.stringify(sample?.payload ?? SAMPLE.payload, null, 2),
  };
  const payload = typed(event.payload);
  const trial = useMutation({
    mutationFn: () =>
      answered(api.POST("/api/v1/rules/test", { body: { rule: judged(draft, t("Draft")), event: { type: event.type, payload: payload! } } })),
  });
  if (!may) return null;
  return (
    <Section title={t("Try it")}>
      <Stack>
        <PastEvents choose={(chosen) => setChanged({ type: chosen.type, payload: JSON.stringify(chosen.payload, null, 2) })} />
        <TextInput label={t("Type")} value={event.type} onChange={({ currentTarget: { value } }) => setChanged({ ...event, type: value })} />
        <JsonInput
          label={t("Payload")}
          autosize
          minRows={4}
          maxRows={14}
          styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 12.5 } }}
          value={event.payload}
          error={payload ? null : t("This is no JSON object.")}
          onChange={(text) => setChanged({ ...event, payload: text })}
        />
        <Group>
          <Button variant="default" onClick={() => trial.mutate()} loading={trial.isPending} disabled={!payload}>
            {t("Try")}
          </Button>
          <Text size="xs" c="dimmed">
            {t("Nothing is stored or sent.")}
          </Text>
        </Group>
        {trial.error && <Failed error={trial.error} />}
        {trial.data && <Judged verdict={trial.data} />}
      </Stack>
    </Section>
  );
}

function PastEvents({ choose }: { choose: (event: Event) => void }) {
  const { events, waiting } = usePastEvents();
  const [chosen, setChosen] = useState<string | null>(null);
  if (!events.length && !waiting) return null;
  const change = (id: string | null) => {
    const event = events.find((each) => each.id === id);
    setChosen(id);
    if (event) choose(event);
  };
  return <EventPicker label={t("A past event")} events={events} value={chosen} change={change} />;
}

function Judged({ verdict }: { verdict: Verdict }) {
  return (
    <div className="rule-story arrived" role="status" style={{ padding: 14 }}>
      <Group gap="xs">
        <Badge state={verdict.error ? "error" : verdict.matched ? "ok" : "off"}>
          {verdict.error ? t("Error") : verdict.matched ? t("Matches") : t("Does not match")}
        </Badge>
        <Text size="sm">{verdict.reason}</Text>
      </Group>
      {verdict.rendered && (
        <div style={{ marginTop: 10 }}>
          <Text size="sm" fw={600}>
            {verdict.rendered.title}
          </Text>
          <Text size="sm" style={{ whiteSpace: "pre-wrap" }}>
            {verdict.rendered.message}
          </Text>
        </div>
      )}
      {verdict.matched && (
        <Text size="sm" c="dimmed" mt={6}>
          {tn(verdict.recipientsTotal, "1 person would be told.", "{n} people would be told.")}
        </Text>
      )}
      {verdict.missing.length > 0 && (
        <Text size="sm" c="dimmed" mt={6}>
          {t("Printed as nothing, for the event has no: {names}", { names: verdict.missing.join(", ") })}
        </Text>
      )}
    </div>
  );
}
