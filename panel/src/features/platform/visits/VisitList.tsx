import { Anchor, Button } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { Link } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { IconEnter } from "@/components/ui/icons";
import { Listing } from "@/components/ui/Listing";
import { Page, Section } from "@/components/ui/Page";
import { Empty } from "@/components/ui/States";
import { tellProblem } from "@/components/ui/told";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { queries, usePages } from "@/lib/queries";
import { useMay, useSession } from "@/lib/session";
import { t } from "@/lib/t";

type Visit = Schemas["VisitAnswer"];

const EVERY_MS = 30_000;

export function Component() {
  const list = usePages(
    ["visits", "list"],
    (cursor, signal) => answered(api.GET("/api/v1/platform/visits", { params: { query: { cursor } }, signal })),
    { refetchInterval: EVERY_MS },
  );
  return (
    <Page title={t("Visits")} lead={t("Who of the platform was inside a project, and why. The project reads the same in its audit log.")}>
      <Section>
        <Listing
          label={t("Visits")}
          query={list}
          empty={
            <Empty icon={IconEnter} title={t("Nobody was inside a project yet")}>
              {t("Log in as a project from its page. A visit has a reason, lasts an hour at most, and ends by itself.")}
            </Empty>
          }
          columns={[
            { name: t("Project"), cell: (visit) => <Anchor component={Link} to={`/projects/${visit.project.id}`} size="sm" fw={550}>{visit.project.name}</Anchor> },
            { name: t("Who"), cell: (visit) => visit.admin.name },
            { name: t("Reason"), cell: (visit) => visit.reason },
            { name: t("May"), width: 100, cell: (visit) => <span className="chip">{visit.write ? t("change") : t("read")}</span> },
            { name: t("Began"), width: 120, cell: (visit) => <span className="named"><When time={visit.startedAt} /></span> },
            { name: t("Ends"), width: 190, cell: (visit) => <span className="named"><End visit={visit} /></span> },
          ]}
        />
      </Section>
    </Page>
  );
}

function End({ visit }: { visit: Visit }) {
  const me = useSession((session) => session.me?.user.id);
  const mayEndAny = useMay("platform:admins");
  const ending = useMutation({
    mutationFn: () => answered(api.DELETE("/api/v1/platform/visits/{visit_id}", { params: { path: { visit_id: visit.id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["visits"] }),
    onError: tellProblem,
  });
  const over = visit.endedAt ?? (new Date(visit.expiresAt).getTime() <= Date.now() ? visit.expiresAt : null);
  if (over) return <When time={over} />;
  return (
    <>
      <Badge state="active">{t("Open")}</Badge>
      {visit.admin.id === me && (
        <Button size="compact-xs" variant="default" component="a" href={`/platform/visit/${visit.id}/`} ml={8}>
          {t("Go on")}
        </Button>
      )}
      {(mayEndAny || visit.admin.id === me) && (
        <Button size="compact-xs" variant="default" ml={8} onClick={() => ending.mutate()} loading={ending.isPending} aria-label={t("End the visit to {name}", { name: visit.project.name })}>
          {t("End")}
        </Button>
      )}
    </>
  );
}
