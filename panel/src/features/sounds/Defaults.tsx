import { ActionIcon, Button, Group, Select, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Badge } from "@/components/ui/Badge";
import { IconPlus, IconX } from "@/components/ui/icons";
import { Section } from "@/components/ui/Page";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { tell } from "@/components/ui/told";
import { answered, api, type Schemas } from "@/lib/api";
import { asProblem } from "@/lib/problem";
import { queries } from "@/lib/queries";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { PlayButton } from "./PlayButton";

type Sound = Schemas["SoundAnswer"];
type Known = Schemas["SoundDefaultsAnswer"];
type Topic = [topic: string, sound: string | null];

const PRIORITIES = ["critical", "high", "normal", "low"] as const;

/** Which sound is heard where a rule names none. */
export function Defaults({ sounds }: { sounds: Sound[] }) {
  const { data, error, refetch } = useQuery({
    queryKey: ["sounds", "defaults"],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/sounds/defaults", { signal })),
  });
  return (
    <Section title={t("Where a rule names no sound")}>
      {error ? <Failed error={error} retry={refetch} /> : data ? <Form key={JSON.stringify(data)} known={data} sounds={sounds} /> : <RowSkeletons count={4} />}
    </Section>
  );
}

function Form({ known, sounds }: { known: Known; sounds: Sound[] }) {
  const may = useMay("sounds:manage");
  const [priorities, setPriorities] = useState<Record<string, string | null>>(known.priorities);
  const [topics, setTopics] = useState<Topic[]>(() => Object.entries(known.topics));
  const [changed, setChanged] = useState(false);
  const saving = useMutation({
    mutationFn: () => answered(api.PUT("/api/v1/sounds/defaults", { body: { priorities, topics: chosen(topics) } })),
    onSuccess: async () => {
      tell(t("Saved. It counts for notifications from now on."));
      await queries.invalidateQueries({ queryKey: ["sounds"] });
    },
  });
  const errors = saving.error ? asProblem(saving.error).byField : {};
  const set = (place: number, topic: Topic) => change(topics.map((each, n) => (n === place ? topic : each)));
  const change = (next: Topic[]) => {
    setTopics(next);
    setChanged(true);
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        saving.mutate();
      }}
    >
      <fieldset disabled={!may} className="plain">
        <Text size="sm" c="dimmed" mb="sm">
          {t("The sound of its topic is heard, else that of its priority, else none.")}
        </Text>
        <div className="sound-defaults">
          <Stack gap="sm">
            <strong className="column-name">{t("By priority")}</strong>
            {PRIORITIES.map((priority) => (
              <div key={priority} className="sound-choice">
                <Badge state={priority} />
                <Choice
                  label={t("Sound for {priority}", { priority })}
                  sounds={sounds}
                  value={priorities[priority] ?? null}
                  error={errors[`priorities.${priority}`]}
                  change={(sound) => {
                    setPriorities({ ...priorities, [priority]: sound });
                    setChanged(true);
                  }}
                />
              </div>
            ))}
          </Stack>
          <Stack gap="sm">
            <strong className="column-name">{t("By topic")}</strong>
            {topics.length === 0 && (
              <Text size="sm" c="dimmed">
                {t("None yet. A rule has a topic, such as orders; people switch topics on and off.")}
              </Text>
            )}
            {topics.map(([topic, sound], place) => (
              <div key={place} className="sound-choice">
                <TextInput aria-label={t("Topic {n}", { n: place + 1 })} placeholder={t("orders")} required value={topic} onChange={({ currentTarget: { value } }) => set(place, [value, sound])} />
                <Choice label={t("Sound for topic {n}", { n: place + 1 })} sounds={sounds} value={sound} required error={errors[`topics.${topic}`]} change={(value) => set(place, [topic, value])} />
                {may && (
                  <ActionIcon variant="subtle" color="gray" aria-label={t("Take topic {n} away", { n: place + 1 })} onClick={() => change(topics.filter((_, n) => n !== place))}>
                    <IconX size={16} />
                  </ActionIcon>
                )}
              </div>
            ))}
            {may && (
              <Group>
                <Button variant="default" size="xs" leftSection={<IconPlus size={14} aria-hidden />} onClick={() => change([...topics, ["", null]])}>
                  {t("Add a topic")}
                </Button>
              </Group>
            )}
          </Stack>
        </div>
        {saving.error && <Failed error={saving.error} />}
        {may && (
          <Group mt="md">
            <Button type="submit" disabled={!changed} loading={saving.isPending}>
              {t("Save")}
            </Button>
          </Group>
        )}
      </fieldset>
    </form>
  );
}

interface ChoiceProps {
  label: string;
  sounds: Sound[];
  value: string | null;
  change: (sound: string | null) => void;
  error?: string;
  required?: boolean;
}

function Choice({ label, sounds, value, change, error, required }: ChoiceProps) {
  const chosen = sounds.find(({ name }) => name === value);
  const names = [...new Set([...sounds.map(({ name }) => name), ...(value ? [value] : [])])].sort();
  return (
    <div className="sound-select">
      <Select aria-label={label} placeholder={required ? t("Choose a sound") : t("No sound")} data={names} value={value} onChange={change} error={error} required={required} clearable={!required} searchable />
      {chosen && <PlayButton name={chosen.name} url={chosen.url} />}
    </div>
  );
}

function chosen(topics: Topic[]): Record<string, string> {
  return Object.fromEntries(topics.flatMap(([topic, sound]) => (sound ? [[topic, sound]] : [])));
}
