import { Loader } from "@mantine/core";
import type { ComponentType } from "react";
import { createBrowserRouter, Navigate, Outlet, useLocation, useSearchParams } from "react-router";
import { NotFound } from "@/app/NotFound";
import { Boundary } from "@/components/ui/Boundary";
import { useSession } from "@/lib/session";
import { t } from "@/lib/t";
import { Frame } from "./Frame";

function page(path: string, load: () => Promise<{ Component: ComponentType }>) {
  return { path, lazy: load, errorElement: <Boundary />, HydrateFallback: Waiting };
}

export const router = createBrowserRouter(
  [
    page("/setup", () => import("@/features/platform/signin/Setup")),
    {
      element: <ForStrangers />,
      errorElement: <Boundary />,
      children: [page("/signin", () => import("@/features/platform/signin/SignIn"))],
    },
    {
      element: <ForAdmins />,
      errorElement: <Boundary />,
      children: [
        {
          element: <Frame />,
          errorElement: <Boundary />,
          children: [
            page("/", () => import("@/features/platform/overview/Overview")),
            page("/projects", () => import("@/features/platform/projects/ProjectList")),
            page("/projects/:id", () => import("@/features/platform/projects/ProjectPage")),
            page("/usage", () => import("@/features/platform/usage/UsageList")),
            page("/plans", () => import("@/features/platform/plans/PlanTable")),
            page("/connections", () => import("@/features/platform/connections/AnyConnectionList")),
            page("/connections/new", () => import("@/features/platform/connections/Lend")),
            page("/connections/:id", () => import("@/features/platform/connections/AnyConnectionPage")),
            page("/me/security", () => import("@/features/platform/account/AccountPage")),
            page("/visits", () => import("@/features/platform/visits/VisitList")),
            page("/admins", () => import("@/features/platform/admins/AdminList")),
            page("/audit", () => import("@/features/platform/audit/PlatformAudit")),
            page("/settings", () => import("@/features/platform/settings/Settings")),
            { path: "*", element: <NotFound /> },
          ],
        },
      ],
    },
  ],
  { basename: "/platform" },
);

function ForAdmins() {
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
  const status = useSession((session) => session.status);
  const [search] = useSearchParams();
  const next = search.get("next");
  if (status === "starting") return <Waiting />;
  // Only a path of ours: an address from elsewhere would lead people out after they signed in.
  if (status === "in") return <Navigate to={next?.startsWith("/") && !next.startsWith("//") ? next : "/"} replace />;
  return <Outlet />;
}

function Waiting() {
  return (
    <main style={{ minHeight: "60vh", display: "grid", placeItems: "center" }}>
      <Loader size="sm" aria-label={t("Loading")} role="status" />
    </main>
  );
}
