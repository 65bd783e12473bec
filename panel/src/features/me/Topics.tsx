import { Chip, Group, Switch, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { nameOf } from "@/components/ui/channels";
import { Section } from "@/components/ui/Page";
import { answered, api } from "@/lib/api";
import { t } from "@/lib/t";
import { only, reaches, switched, wished } from "./merged";
import type { Change, Preferences, Wish } from "./preferences";
import { useWays } from "./ways";

const NO_WISH: Wish = { muted: false, subscribed: false, channels: null, ignoreQuietHours: false };

interface Props {
  preferences: Preferences;
  change: (change: Change) => void;
}

/** Topics are what rules call their notifications. Those without one cannot be muted. */
export function Topics({ preferences, change }: Props) {
  const { data } = useQuery({
    queryKey: ["topics"],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/topics", { signal })),
  });
  const wishes = preferences.topics ?? {};
  const optIn = new Set((data ?? []).filter((topic) => topic.optIn).map((topic) => topic.name));
  const names = [...new Set([...(data ?? []).map((topic) => topic.name), ...Object.keys(wishes)])].sort();
  return (
    <Section title={t("Topics")} flush>
      {data && names.length === 0 && (
        <Text size="sm" c="dimmed" p="md">
          {t("No rule that tells you something has a topic yet. What has one can be switched off here.")}
        </Text>
      )}
      {names.map((name) => (
        <Topic key={name} name={name} optIn={optIn.has(name)} wish={wishes[name] ?? NO_WISH} change={(wish) => change({ topics: { [name]: wished(wish) } })} />
      ))}
    </Section>
  );
}

function Topic({ name, optIn, wish, change }: { name: string; optIn: boolean; wish: Wish; change: (wish: Wish) => void }) {
  const on = reaches(wish, optIn);
  const ways = useWays(wish.channels ?? []);
  const chosen = wish.channels ?? ways;
  return (
    <div className="line">
      <div className="line-main">
        <strong>{name}</strong>
        <small>{said(wish, optIn)}</small>
      </div>
      <Switch checked={on} onChange={({ currentTarget: { checked } }) => change(switched(wish, optIn, checked))} aria-label={t("Tell me of {topic}", { topic: name })} />
      {on && (
        <Group gap="xs" className="line-more" role="group" aria-label={t("Ways for {topic}", { topic: name })}>
          {ways.map((way) => (
            <Chip
              key={way}
              size="xs"
              checked={chosen.includes(way)}
              onChange={(also) => {
                const next = also ? [...chosen, way] : chosen.filter((each) => each !== way);
                change(next.length ? { ...wish, channels: only(next, ways) } : switched(wish, optIn, false));
              }}
            >
              {nameOf(way)}
            </Chip>
          ))}
          <Chip size="xs" variant="light" checked={wish.ignoreQuietHours ?? false} onChange={(also) => change({ ...wish, ignoreQuietHours: also })}>
            {t("At night too")}
          </Chip>
        </Group>
      )}
    </div>
  );
}

function said(wish: Wish, optIn: boolean): string {
  const { channels } = wish;
  if (!reaches(wish, optIn)) return optIn ? t("Not subscribed: it stands in your list, and you are told nowhere.") : t("Off: it stands in your list, and you are told nowhere.");
  return channels ? t("Only by {ways}", { ways: channels.map(nameOf).join(", ") }) : t("By every way that the rule has");
}
