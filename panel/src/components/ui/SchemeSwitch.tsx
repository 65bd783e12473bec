import { ActionIcon, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { t } from "@/lib/t";
import { IconMoon, IconSun } from "./icons";

export function SchemeSwitch() {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme("light") === "dark";
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      visibleFrom="sm"
      onClick={() => setColorScheme(dark ? "light" : "dark")}
      aria-label={dark ? t("Light colours") : t("Dark colours")}
    >
      {dark ? <IconSun size={18} /> : <IconMoon size={18} />}
    </ActionIcon>
  );
}
