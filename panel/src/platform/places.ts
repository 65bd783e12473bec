import type { Group } from "@/app/places";
import { IconActivity, IconBuilding, IconChart, IconEnter, IconList, IconPlans, IconPlug, IconSettings, IconUsers } from "@/components/ui/icons";
import { t } from "@/lib/t";

/** The side bar, which is also the palette's first list. */
export const GROUPS: Group[] = [
  { name: "", places: [{ to: "/", name: t("Overview"), icon: IconActivity, needs: "platform:read" }] },
  {
    name: t("Projects"),
    places: [
      { to: "/projects", name: t("Projects"), icon: IconBuilding, needs: "platform:read" },
      { to: "/usage", name: t("Usage"), icon: IconChart, needs: "platform:read" },
      { to: "/plans", name: t("Plans"), icon: IconPlans, needs: "platform:read" },
    ],
  },
  {
    name: t("Helping"),
    places: [
      { to: "/connections", name: t("Connections"), icon: IconPlug, needs: "platform:connections" },
      { to: "/visits", name: t("Visits"), icon: IconEnter, needs: "platform:enter" },
    ],
  },
  {
    name: t("Installation"),
    places: [
      { to: "/admins", name: t("Admins"), icon: IconUsers, needs: "platform:admins" },
      { to: "/audit", name: t("Audit log"), icon: IconList, needs: "platform:audit" },
      { to: "/settings", name: t("Settings"), icon: IconSettings, needs: "platform:settings" },
    ],
  },
];
