import { Alert, Box, Button, Group, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { NavLink } from "react-router";
import { Page } from "@/components/ui/Page";
import { useEnv } from "@/lib/env";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";
import { useMe } from "./me";

const TABS = [
  { to: "/me", name: t("Overview") },
  { to: "/me/preferences", name: t("Preferences") },
  { to: "/me/security", name: t("Security") },
];

/** What is one's own, whatever one may do besides. */
export function OwnPage({ title, lead, children }: { title: string; lead?: ReactNode; children: ReactNode }) {
  return (
    <Page title={title} lead={lead}>
      <nav className="tabs" aria-label={t("Your pages")}>
        {TABS.map(({ to, name }) => (
          <NavLink key={to} to={to} end className="tab">
            {name}
          </NavLink>
        ))}
      </nav>
      <Box className="own-page">
        <Elsewhere />
        {children}
      </Box>
    </Page>
  );
}

/** A person is of one environment; from the other, their own things can be read alone. */
function Elsewhere() {
  const { env: home } = useMe();
  const { env, choose } = useEnv();
  if (env === home) return null;
  const change = () => {
    queries.clear();
    choose(home);
  };
  return (
    <Alert className="notice" color="yellow" radius="lg" mb="md">
      <Group justify="space-between">
        <Text size="sm">{t("From here your own things can be read, not changed.")}</Text>
        <Button size="compact-sm" variant="default" onClick={change}>
          {home === "live" ? t("Switch to Live") : t("Switch to Test")}
        </Button>
      </Group>
    </Alert>
  );
}
