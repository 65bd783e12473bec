import { Box } from "@mantine/core";
import type { ReactNode } from "react";
import { NavLink } from "react-router";
import { Page } from "@/components/ui/Page";
import { t } from "@/lib/t";

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
          <NavLink key={to} to={to} end>
            {name}
          </NavLink>
        ))}
      </nav>
      <Box className="own-page">{children}</Box>
    </Page>
  );
}
