import { ActionIcon } from "@mantine/core";
import { IconPlaySolid, IconStop } from "@/components/ui/icons";
import { tellProblem } from "@/components/ui/told";
import { t } from "@/lib/t";
import { toggle, usePlaying } from "./play";

export function PlayButton({ name, url }: { name: string; url: string }) {
  const plays = usePlaying((playing) => playing.url === url);
  return (
    <ActionIcon
      className="row-act"
      variant={plays ? "filled" : "default"}
      radius="xl"
      size="lg"
      aria-label={plays ? t("Stop {name}", { name }) : t("Play {name}", { name })}
      onClick={() => toggle(url).catch(tellProblem)}
    >
      {plays ? <IconStop size={16} /> : <IconPlaySolid size={16} />}
    </ActionIcon>
  );
}
