import { ActionIcon, Select } from "@mantine/core";
import { useEffect, useRef } from "react";
import { IconPlay } from "@/components/ui/icons";
import { tellProblem } from "@/components/ui/told";
import { t } from "@/lib/t";
import { useSounds } from "./choices";
import type { Editing } from "./editing";

/** Which sound is heard, to be heard here. */
export function SoundField({ rule: { values, set, error } }: { rule: Editing }) {
  const { sounds, defaults } = useSounds();
  const byDefault = (values.topic && defaults?.topics[values.topic]) || defaults?.priorities[values.priority];
  const heard = sounds.get(values.sound ?? byDefault ?? "");
  const play = usePlayer();
  return (
    <div className="with-button">
      <Select
        label={t("Sound")}
        description={t("Without one, that of topic or priority.")}
        placeholder={byDefault ?? t("None")}
        data={[...new Set([...sounds.keys(), ...(values.sound ? [values.sound] : [])])]}
        searchable
        clearable
        clearButtonProps={{ "aria-label": t("Clear") }}
        value={values.sound}
        error={error("sound")}
        onChange={(sound) => set({ sound })}
      />
      <ActionIcon
        variant="default"
        size={36}
        disabled={!heard}
        aria-label={heard ? t("Play {sound}", { sound: heard.name }) : t("Play the sound")}
        onClick={() => heard && play(heard.url)}
      >
        <IconPlay size={16} />
      </ActionIcon>
    </div>
  );
}

/** Plays one at a time, from the page's own origin, as its policy wants. */
function usePlayer(): (url: string) => void {
  const player = useRef<HTMLAudioElement | null>(null);
  useEffect(() => () => player.current?.pause(), []);
  return (url) => {
    player.current?.pause();
    player.current = new Audio(new URL(url, location.href).pathname);
    player.current.play().catch(tellProblem);
  };
}
