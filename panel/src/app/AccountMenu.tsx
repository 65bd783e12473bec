import { ActionIcon, Menu, Text, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { Link } from "react-router";
import { IconBook, IconLogout, IconMoon } from "@/components/ui/icons";
import { visitId } from "@/lib/place";
import { leave, useSession } from "@/lib/session";
import { t } from "@/lib/t";
import { MINE } from "./places";

export function AccountMenu() {
  const me = useSession((session) => session.me);
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme("light") === "dark";
  if (!me) return null;
  // Whoever visits a project has nothing of their own there.
  const mine = visitId ? [] : MINE.places;
  const name = me.user.name ?? me.user.email ?? t("You");
  return (
    <Menu position="bottom-end" width={240} withinPortal>
      <Menu.Target>
        <ActionIcon variant="transparent" radius="xl" size="lg" aria-label={t("Account")}>
          <span className="me" data-letter={name.slice(0, 1).toUpperCase()} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <div style={{ padding: "8px 12px" }}>
          <Text size="sm" fw={600} truncate>
            {name}
          </Text>
          <Text size="xs" c="dimmed" truncate>
            {me.user.roles.join(", ")} · {me.project.name}
          </Text>
        </div>
        <Menu.Divider />
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
        {!visitId && (
          <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => void leave()}>
            {t("Sign out")}
          </Menu.Item>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
