import { ActionIcon, Autocomplete, MultiSelect } from "@mantine/core";
import { Choice } from "@/components/ui/Choice";
import { Duration } from "@/components/ui/Duration";
import { IconArrowDown, IconArrowUp } from "@/components/ui/icons";
import { Section } from "@/components/ui/Page";
import { t, tn } from "@/lib/t";
import { useChannels, useTopics } from "./choices";
import type { Draft } from "./draft";
import type { Editing } from "./editing";
import { Fields, Option } from "./Fields";
import { SoundField } from "./SoundField";

type Channel = Draft["channels"][number];

const ORDER = { afterSeconds: 120 };

/** By which ways people are told, how loudly, and what they may switch it off by. */
export function HowPart({ rule }: { rule: Editing }) {
  const { values, set, error } = rule;
  const { all, personal } = useChannels();
  return (
    <Section title={t("How")}>
      <Fields>
        <MultiSelect
          label={t("Channels")}
          data={[...new Set([...all, ...values.channels])]}
          searchable
          hidePickedOptions
          value={values.channels}
          error={error("channels")}
          onChange={(channels) => set({ channels: channels as Draft["channels"] })}
        />
        <Order rule={rule} personal={personal} />
        <Choice
          label={t("Priority")}
          value={values.priority}
          change={(priority) => set({ priority })}
          data={[
            { value: "low", label: t("Low") },
            { value: "normal", label: t("Normal") },
            { value: "high", label: t("High") },
            { value: "critical", label: t("Critical") },
          ]}
        />
        <div className="pair">
          <SoundField rule={rule} />
          <TopicField rule={rule} />
        </div>
      </Fields>
    </Section>
  );
}

/** One channel after the other, once there are two that take turns. */
function Order({ rule: { values, set, error }, personal }: { rule: Editing; personal: Set<string> }) {
  const order = values.channelOrder;
  const turns = values.channels.filter((channel) => personal.has(channel));
  const swap = (one: Channel, other: Channel) => set({ channels: swapped(values.channels, one, other) });
  if (!order && turns.length < 2) return null;
  return (
    <Option
      label={t("One channel after the other")}
      description={t("The next only if the one before failed or was not seen in time.")}
      on={order !== null}
      error={error("channelOrder", true)}
      change={(on) => set({ channelOrder: on ? ORDER : null })}
    >
      <ol className="turns">
        {turns.map((channel, place) => (
          <li key={channel}>
            <span>{channel}</span>
            <Mover label={t("{channel} earlier", { channel })} icon={IconArrowUp} move={place > 0 ? () => swap(channel, turns[place - 1]!) : null} />
            <Mover label={t("{channel} later", { channel })} icon={IconArrowDown} move={place < turns.length - 1 ? () => swap(channel, turns[place + 1]!) : null} />
          </li>
        ))}
      </ol>
      <Duration
        label={t("The next one after")}
        value={(order ?? ORDER).afterSeconds}
        error={error("channelOrder.afterSeconds")}
        change={(afterSeconds) => set({ channelOrder: { afterSeconds } })}
      />
    </Option>
  );
}

function Mover({ label, icon: Picture, move }: { label: string; icon: typeof IconArrowUp; move: (() => void) | null }) {
  return (
    <ActionIcon variant="subtle" color="gray" size="sm" aria-label={label} disabled={!move} onClick={() => move?.()}>
      <Picture size={15} />
    </ActionIcon>
  );
}

function swapped<T>(all: T[], one: T, other: T): T[] {
  return all.map((each) => (each === one ? other : each === other ? one : each));
}

function TopicField({ rule: { values, set, error } }: { rule: Editing }) {
  const topics = useTopics();
  const topic = topics.find((each) => each.name === values.topic);
  const muted = topic?.mutedBy ?? 0;
  const said = muted ? tn(muted, "1 person has muted it.", "{n} people have muted it.") : t("By it people switch such news off and on.");
  return (
    <Autocomplete
      label={t("Topic")}
      description={topic?.optIn ? tn(topic.subscribers ?? 0, "Only 1 person has subscribed to it.", "Only the {n} people who subscribed are told.") : said}
      data={topics.map(({ name }) => name)}
      value={values.topic ?? ""}
      error={error("topic")}
      onChange={(name) => set({ topic: name || null })}
    />
  );
}
