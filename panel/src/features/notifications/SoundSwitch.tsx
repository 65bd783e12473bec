import { ActionIcon, Tooltip } from "@mantine/core";
import { IconVolume, IconVolumeOff } from "@/components/ui/icons";
import { t } from "@/lib/t";
import { turn, useRing } from "./ring";

/** Whether notifications are heard in this browser. */
export function SoundSwitch() {
  const { on, blocked } = useRing();
  const waits = on && blocked;
  const says = waits ? t("The browser plays nothing until you click somewhere on the page.") : on ? t("Sound on") : t("Sound off");
  return (
    <Tooltip label={says}>
      <ActionIcon className="sound-switch" variant="subtle" color="gray" data-waits={waits || undefined} aria-pressed={on} aria-label={t("Sound")} onClick={() => turn(waits || !on)}>
        {on ? <IconVolume size={18} /> : <IconVolumeOff size={18} />}
      </ActionIcon>
    </Tooltip>
  );
}
