import { ActionIcon, Anchor, AppShell, Burger, Button, Group, Kbd, ScrollArea, SegmentedControl, Tooltip } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { spotlight } from "@mantine/spotlight";
import { useEffect } from "react";
import { NavLink, Outlet, useLocation } from "react-router";
import { IconSearch } from "@/components/ui/icons";
import { SchemeSwitch } from "@/components/ui/SchemeSwitch";
import { settled } from "@/components/ui/Boundary";
import { useEnv, type Env } from "@/lib/env";
import { listen, useLine } from "@/lib/live";
import { Arrivals } from "@/features/notifications/Arrivals";
import { usePushHere } from "@/features/push/usePushHere";
import { SoundSwitch } from "@/features/notifications/SoundSwitch";
import { useMay, useOwnOnly, useSession } from "@/lib/session";
import { t } from "@/lib/t";
import { AccountMenu } from "./AccountMenu";
import { BrandMark } from "@/components/brand/BrandMark";
import { Palette } from "./Palette";
import { allowed, GROUPS, MINE } from "./places";

/** The side bar, the top bar and the page between them. */
export function Frame() {
  const [opened, { toggle, close }] = useDisclosure();
  const { pathname } = useLocation();
  const { env } = useEnv();
  useListening();
  usePushHere();
  useEffect(close, [pathname, close]);
  useEffect(settled, []);
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 232, breakpoint: "sm", collapsed: { mobile: !opened } }}
      padding={{ base: "md", sm: "xl" }}
    >
      <a className="skip" href="#main">
        {t("Skip to the page")}
      </a>
      <AppShell.Header className="frame-head">
        <TopBar opened={opened} toggle={toggle} />
      </AppShell.Header>
      <AppShell.Navbar className="frame-nav" p="xs" aria-label={t("Places")}>
        <SideBar />
      </AppShell.Navbar>
      <AppShell.Main className="frame-main" id="main" tabIndex={-1}>
        {env === "test" && (
          <div className="sandbox-bar" role="note">
            {t("Test: everything runs, nothing leaves this machine.")}
          </div>
        )}
        <Outlet key={env} />
      </AppShell.Main>
      <Palette />
      <Arrivals key={env} />
    </AppShell>
  );
}

function useListening(): void {
  const me = useSession((session) => session.me);
  const wholeProject = useMay("realtime:read");
  const { env } = useEnv();
  useEffect(() => (me ? listen(me.user.id, me.project.id, wholeProject) : undefined), [me, wholeProject, env]);
}

function TopBar({ opened, toggle }: { opened: boolean; toggle: () => void }) {
  const ownOnly = useOwnOnly();
  return (
    <Group h="100%" px="md" justify="space-between" wrap="nowrap" gap="sm">
      <Group gap="sm" wrap="nowrap" miw={0}>
        <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={t("Menu")} />
        <BrandMark />
      </Group>
      <Group gap="xs" wrap="nowrap">
        <Button
          variant="default"
          size="xs"
          visibleFrom="md"
          leftSection={<IconSearch size={14} aria-hidden />}
          rightSection={<Kbd size="xs">Ctrl K</Kbd>}
          onClick={spotlight.open}
        >
          {t("Search")}
        </Button>
        <ActionIcon variant="subtle" color="gray" hiddenFrom="md" onClick={spotlight.open} aria-label={t("Search")}>
          <IconSearch size={18} />
        </ActionIcon>
        <LineDot />
        <SoundSwitch />
        {!ownOnly && <EnvSwitch />}
        <SchemeSwitch />
        <AccountMenu />
      </Group>
    </Group>
  );
}

function SideBar() {
  const permissions = useSession((session) => session.me?.permissions ?? []);
  const ownOnly = useOwnOnly();
  return (
    <>
      <AppShell.Section grow component={ScrollArea} type="never">
        {allowed(ownOnly ? [MINE, ...GROUPS] : GROUPS, permissions).map((group) => (
          <div key={group.name}>
            {group.name && <div className="nav-group">{group.name}</div>}
            {group.places.map(({ to, name, icon: Picture }) => (
              <NavLink key={to} to={to} end={to === "/" || to === "/me"} className="nav-link">
                <Picture size={18} stroke={1.7} aria-hidden />
                {name}
              </NavLink>
            ))}
          </div>
        ))}
      </AppShell.Section>
      <AppShell.Section p="xs">
        <Anchor href="/docs" target="_blank" size="sm" c="dimmed">
          {t("API reference")}
        </Anchor>
      </AppShell.Section>
    </>
  );
}

const LINES = { live: "Connected", waiting: "Reconnecting", off: "Not connected" } as const;

function LineDot() {
  const { line } = useLine();
  return (
    <Tooltip label={line === "live" ? t("What happens is shown at once.") : t("Updates are not shown by themselves.")}>
      <span className="line-dot" data-line={line} role="status">
        <span className="line-word">{t(LINES[line])}</span>
      </span>
    </Tooltip>
  );
}

function EnvSwitch() {
  const { env, choose } = useEnv();
  return (
    <SegmentedControl
      size="xs"
      value={env}
      onChange={(value) => choose(value as Env)}
      aria-label={t("Environment")}
      data={[
        { value: "live", label: t("Live") },
        { value: "test", label: t("Test") },
      ]}
    />
  );
}
