import { Switch } from "@mantine/core";
import { nameOf } from "@/components/ui/channels";
import { Section } from "@/components/ui/Page";
import { t } from "@/lib/t";
import type { Change, Preferences } from "./preferences";
import { useWays } from "./ways";

/** One switch for each way by which this person can be reached. */
export function Ways({ preferences, change }: { preferences: Preferences; change: (change: Change) => void }) {
  const wished = preferences.channels ?? {};
  return (
    <Section title={t("Ways")} flush>
      {useWays(Object.keys(wished)).map((way) => (
        <div key={way} className="line">
          <div className="line-main">
            <strong>{nameOf(way)}</strong>
            {way === "realtime" && <small>{t("Switched off, it is shown without a sound.")}</small>}
          </div>
          <Switch checked={wished[way] !== false} onChange={({ currentTarget: { checked } }) => change({ channels: { [way]: checked } })} aria-label={t("Tell me by {way}", { way: nameOf(way) })} />
        </div>
      ))}
    </Section>
  );
}
