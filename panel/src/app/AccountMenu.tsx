import { Menu, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { Link } from "react-router";
import { IconBook, IconMoon } from "@/components/ui/icons";
import { turnOff } from "@/features/push/push";
import { visitId } from "@/lib/place";
import { useSession } from "@/lib/session";
import { t } from "@/lib/t";
import { Account, SignOut } from "./Account";
import { MINE } from "./places";

export function AccountMenu() {
  const project = useSession((session) => session.me?.project.name);
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme("light") === "dark";
  // Whoever visits a project has nothing of their own there.
  const mine = visitId ? [] : MINE.places;
  return (
    <Account note={project}>
      {mine.map(({ to, name: place, icon: Picture }) => (
        <Menu.Item key={to} component={Link} to={to} leftSection={<Picture size={16} />}>
          {place}
        </Menu.Item>
      ))}
      {mine.length > 0 && <Menu.Divider />}
      <Menu.Item leftSection={<IconMoon size={16} />} onClick={() => setColorScheme(dark ? "light" : "dark")}>
        {dark ? t("Light colours") : t("Dark colours")}
      </Menu.Item>
      <Menu.Item leftSection={<IconBook size={16} />} component="a" href="/docs" target="_blank">
        {t("API reference")}
      </Menu.Item>
      {!visitId && <Menu.Divider />}
      {!visitId && <SignOut before={turnOff} />}
    </Account>
  );
}
