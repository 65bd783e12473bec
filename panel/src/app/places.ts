import type { Icon } from "@tabler/icons-react";
import {
  IconActivity,
  IconAdjustments,
  IconBell,
  IconBraces,
  IconChart,
  IconGauge,
  IconHome,
  IconKey,
  IconList,
  IconMusic,
  IconPlug,
  IconRoute,
  IconSettings,
  IconShield,
  IconTemplate,
  IconUser,
  IconUsers,
  IconWebhook,
} from "@/components/ui/icons";
import { t } from "@/lib/t";

export interface Place {
  to: string;
  name: string;
  icon: Icon;
  /** Whoever lacks it does not see the place. */
  needs: string;
}

export interface Group {
  name: string;
  places: Place[];
}

/** The side bar, which is also the palette's first list. */
export const GROUPS: Group[] = [
  { name: "", places: [{ to: "/", name: t("Home"), icon: IconHome, needs: "events:read" }] },
  {
    name: t("Monitor"),
    places: [
      { to: "/events", name: t("Events"), icon: IconActivity, needs: "events:read" },
      { to: "/notifications", name: t("Notifications"), icon: IconBell, needs: "own:manage" },
      { to: "/analytics", name: t("Analytics"), icon: IconChart, needs: "notifications:read" },
    ],
  },
  {
    name: t("Automate"),
    places: [
      { to: "/rules", name: t("Rules"), icon: IconRoute, needs: "rules:read" },
      { to: "/event-types", name: t("Event types"), icon: IconBraces, needs: "rules:read" },
      { to: "/templates", name: t("Templates"), icon: IconTemplate, needs: "rules:read" },
      { to: "/sounds", name: t("Sounds"), icon: IconMusic, needs: "sounds:read" },
    ],
  },
  {
    name: t("Connect"),
    places: [
      { to: "/connections", name: t("Connections"), icon: IconPlug, needs: "connections:read" },
      { to: "/webhooks", name: t("Webhooks"), icon: IconWebhook, needs: "webhooks:read" },
      { to: "/keys", name: t("API keys"), icon: IconKey, needs: "keys:manage" },
    ],
  },
  {
    name: t("Project"),
    places: [
      { to: "/users", name: t("People"), icon: IconUsers, needs: "users:read" },
      { to: "/roles", name: t("Roles"), icon: IconShield, needs: "roles:read" },
      { to: "/audit", name: t("Audit log"), icon: IconList, needs: "audit:read" },
      { to: "/usage", name: t("Plan and usage"), icon: IconGauge, needs: "project:read" },
      { to: "/settings", name: t("Settings"), icon: IconSettings, needs: "project:read" },
    ],
  },
];

/** What is one's own: in the account menu; the side bar of whoever has nothing else. */
export const MINE: Group = {
  name: "",
  places: [
    { to: "/me", name: t("My page"), icon: IconUser, needs: "own:manage" },
    { to: "/me/preferences", name: t("Preferences"), icon: IconAdjustments, needs: "own:manage" },
    { to: "/me/security", name: t("Security"), icon: IconShield, needs: "own:manage" },
  ],
};

export function allowed(groups: Group[], permissions: readonly string[]): Group[] {
  return groups
    .map((group) => ({ ...group, places: group.places.filter((place) => permissions.includes(place.needs)) }))
    .filter((group) => group.places.length > 0);
}
