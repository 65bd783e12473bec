import { ActionIcon, AppShell, Burger, Button, Group, Kbd, Menu, ScrollArea } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { spotlight } from "@mantine/spotlight";
import { useEffect } from "react";
import { Link, NavLink, Outlet, useLocation } from "react-router";
import { Account, SignOut } from "@/app/Account";
import { allowed } from "@/app/places";
import { PlatformMark } from "@/components/brand/PlatformMark";
import { settled } from "@/components/ui/Boundary";
import { IconSearch, IconShield } from "@/components/ui/icons";
import { SchemeSwitch } from "@/components/ui/SchemeSwitch";
import { useSession } from "@/lib/session";
import { t } from "@/lib/t";
import { Palette } from "./Palette";
import { GROUPS } from "./places";

/** The side bar, the top bar and the page between them, of those who run the installation. */
export function Frame() {
  const [opened, { toggle, close }] = useDisclosure();
  const { pathname } = useLocation();
  useEffect(close, [pathname, close]);
  useEffect(settled, []);
  return (
    <AppShell header={{ height: 56 }} navbar={{ width: 232, breakpoint: "sm", collapsed: { mobile: !opened } }} padding={{ base: "md", sm: "xl" }}>
      <a className="skip" href="#main">
        {t("Skip to the page")}
      </a>
      <AppShell.Header className="frame-head">
        <Group h="100%" px="md" justify="space-between" wrap="nowrap" gap="sm">
          <Group gap="sm" wrap="nowrap" miw={0}>
            <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={t("Menu")} />
            <PlatformMark />
          </Group>
          <Group gap="xs" wrap="nowrap">
            <Button variant="default" size="xs" visibleFrom="md" leftSection={<IconSearch size={14} aria-hidden />} rightSection={<Kbd size="xs">Ctrl K</Kbd>} onClick={spotlight.open}>
              {t("Search")}
            </Button>
            <ActionIcon variant="subtle" color="gray" hiddenFrom="md" onClick={spotlight.open} aria-label={t("Search")}>
              <IconSearch size={18} />
            </ActionIcon>
            <SchemeSwitch />
            <Account>
              <Menu.Item component={Link} to="/me/security" leftSection={<IconShield size={16} />}>
                {t("Security")}
              </Menu.Item>
              <Menu.Divider />
              <SignOut />
            </Account>
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar className="frame-nav" p="xs" aria-label={t("Places")}>
        <SideBar />
      </AppShell.Navbar>
      <AppShell.Main className="frame-main" id="main" tabIndex={-1}>
        <Outlet />
      </AppShell.Main>
      <Palette />
    </AppShell>
  );
}

function SideBar() {
  const permissions = useSession((session) => session.me?.permissions ?? []);
  return (
    <AppShell.Section grow component={ScrollArea} type="never">
      {allowed(GROUPS, permissions).map((group) => (
        <div key={group.name}>
          {group.name && <div className="nav-group">{group.name}</div>}
          {group.places.map(({ to, name, icon: Picture }) => (
            <NavLink key={to} to={to} end={to === "/"} className="nav-link">
              <Picture size={18} stroke={1.7} aria-hidden />
              {name}
            </NavLink>
          ))}
        </div>
      ))}
    </AppShell.Section>
  );
}
