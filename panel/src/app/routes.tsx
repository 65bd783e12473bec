import { Loader } from "@mantine/core";
import type { ComponentType } from "react";
import { createBrowserRouter, Navigate, Outlet, useLocation, useSearchParams } from "react-router";
import { Boundary } from "@/components/ui/Boundary";
import { base } from "@/lib/place";
import { useSession } from "@/lib/session";
import { t } from "@/lib/t";
import { Frame } from "./Frame";
import { NotFound } from "./NotFound";

/** A page that is fetched when it is first opened. */
function page(path: string, load: () => Promise<{ Component: ComponentType }>) {
  return { path, lazy: load, errorElement: <Boundary />, HydrateFallback: Waiting };
}

export const router = createBrowserRouter(
  [
    {
      element: <ForStrangers />,
      errorElement: <Boundary />,
      children: [
        page("/signin", () => import("@/features/signin/SignIn")),
        page("/signup", () => import("@/features/signin/SignUp")),
        page("/forgotten", () => import("@/features/signin/Forgotten")),
      ],
    },
    {
      element: <ForPeople />,
      errorElement: <Boundary />,
      children: [
        page("/welcome", () => import("@/features/welcome/Wizard")),
        {
          element: <Frame />,
          errorElement: <Boundary />,
          children: [
            page("/", () => import("@/features/home/Home")),
            page("/events", () => import("@/features/events/EventList")),
            page("/events/send", () => import("@/features/events/SendEvent")),
            page("/events/:id", () => import("@/features/events/EventStory")),
            page("/rules", () => import("@/features/rules/RuleList")),
            page("/rules/new", () => import("@/features/rules/RulePage")),
            page("/rules/:id", () => import("@/features/rules/RulePage")),
            page("/event-types", () => import("@/features/event-types/TypeList")),
            page("/event-types/new", () => import("@/features/event-types/TypePage")),
            page("/event-types/:id", () => import("@/features/event-types/TypePage")),
            page("/templates", () => import("@/features/templates/TemplateList")),
            page("/templates/edit", () => import("@/features/templates/TemplatePage")),
            page("/sounds", () => import("@/features/sounds/SoundList")),
            page("/notifications", () => import("@/features/notifications/NotificationList")),
            page("/notifications/:id", () => import("@/features/notifications/NotificationPage")),
            page("/connections", () => import("@/features/connections/ConnectionList")),
            page("/connections/telegram/:id?", () => import("@/features/connections/telegram/TelegramPage")),
            page("/connections/whatsapp/:id?", () => import("@/features/connections/whatsapp/WhatsAppPage")),
            page("/connections/new", () => import("@/features/connections/NewConnection")),
            page("/connections/:id", () => import("@/features/connections/ConnectionPage")),
            page("/webhooks", () => import("@/features/webhooks/EndpointList")),
            page("/webhooks/:id", () => import("@/features/webhooks/EndpointPage")),
            page("/keys", () => import("@/features/keys/KeyList")),
            page("/users", () => import("@/features/users/UserList")),
            page("/users/import", () => import("@/features/users/import/ImportPage")),
            page("/users/:id", () => import("@/features/users/UserPage")),
            page("/roles", () => import("@/features/users/RoleList")),
            page("/audit", () => import("@/features/audit/AuditList")),
            page("/analytics", () => import("@/features/analytics/Analytics")),
            page("/usage", () => import("@/features/usage/Usage")),
            page("/settings", () => import("@/features/settings/SettingsPage")),
            page("/settings/:tab", () => import("@/features/settings/SettingsPage")),
            page("/me", () => import("@/features/me/Overview")),
            page("/me/preferences", () => import("@/features/me/PreferencesPage")),
            page("/me/security", () => import("@/features/security/SecurityPage")),
            page("/me/telegram/:id?", () => import("@/features/me/BotPage")),
            { path: "*", element: <NotFound /> },
          ],
        },
      ],
    },
  ],
  { basename: base },
);

function ForPeople() {
  const status = useSession((session) => session.status);
  const { pathname, search } = useLocation();
  if (status === "starting") return <Waiting />;
  if (status === "out") {
    const next = pathname === "/" ? "" : `?next=${encodeURIComponent(pathname + search)}`;
    return <Navigate to={`/signin${next}`} replace />;
  }
  return <Outlet />;
}

function ForStrangers() {
  const { status, testKey } = useSession();
  const [search] = useSearchParams();
  if (status === "starting") return <Waiting />;
  if (status === "in") return <Navigate to={testKey ? "/welcome" : within(search.get("next"))} replace />;
  return <Outlet />;
}

/** Only a path of ours: an address from elsewhere would lead people out after they signed in. */
function within(next: string | null): string {
  return next?.startsWith("/") && !next.startsWith("//") ? next : "/";
}

function Waiting() {
  return (
    <main style={{ minHeight: "60vh", display: "grid", placeItems: "center" }}>
      <Loader size="sm" aria-label={t("Loading")} role="status" />
    </main>
  );
}
