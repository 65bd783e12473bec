import { ActionIcon, Select } from "@mantine/core";
import { useEffect } from "react";
import { IconPlay } from "@/components/ui/icons";
import { tellProblem } from "@/components/ui/told";
import { t } from "@/lib/t";
import { stop, toggle } from "../sounds/play";
import { useSounds } from "./choices";
import type { Editing } from "./editing";

/** Which sound is heard, to be heard here. */
export function SoundField({ rule: { values, set, error } }: { rule: Editing }) {
  const { sounds, defaults } = useSounds();
  const byDefault = (values.topic && defaults?.topics[values.topic]) || defaults?.priorities[values.priority];
  const heard = sounds.get(values.sound ?? byDefault ?? "");
  useEffect(() => stop, []);
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
        onClick={() => heard && toggle(heard.url).catch(tellProblem)}
      >
        <IconPlay size={16} />
      </ActionIcon>
    </div>
  );
}
