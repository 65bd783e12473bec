import { Alert, Anchor, Button, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { Id } from "@/components/ui/Code";
import { Facts } from "@/components/ui/Facts";
import { IconAlert, IconList, IconPlug } from "@/components/ui/icons";
import { Page, Section } from "@/components/ui/Page";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { useHanded } from "@/lib/handed";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { exact } from "@/lib/when";
import { OneTimeLink } from "../OneTimeLink";
import { usePlanLabel, usePlans } from "../plans";
import { counted, limit } from "../words";
import { Danger } from "./Danger";
import { Limits } from "./Limits";
import { LogInAs } from "./LogInAs";
import { Billing } from "./Billing";
import type { Overrides } from "./overrides";
import { MOST } from "./ProjectList";

type Project = Schemas["PlatformProject"];

export function Component() {
  const { id = "" } = useParams();
  return <One key={id} id={id} />;
}

function One({ id }: { id: string }) {
  const link = useHanded(id);
  const { data, error, refetch } = useQuery({
    queryKey: ["projects", "one", id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/platform/projects/{project_id}", { params: { path: { project_id: id } }, signal })),
  });
  return (
    <Page title={data?.name ?? t("Project")} lead={data && <Id value={data.slug} />} back={{ to: "/projects", label: t("Projects") }} actions={data && <LogInAs project={data} />}>
      {link && <OneTimeLink whose={data?.owner?.email ?? t("its owner")} url={link} />}
      {error ? <Failed error={error} retry={refetch} /> : data ? <Whole project={data} /> : <RowSkeletons />}
    </Page>
  );
}

function Whole({ project }: { project: Project }) {
  const mayBill = useMay("platform:billing");
  const labelled = usePlanLabel();
  return (
    <>
      <Halted project={project} />
      <Section>
        <div className="facts-wide">
          <Facts
            facts={[
              [t("Status"), <Badge key="status" state={project.status} />],
              [t("Plan"), labelled(project.plan)],
              [t("Owner"), project.owner?.email ?? "–"],
              ...(project.region ? ([[t("Region"), project.region]] as [string, string][]) : []),
              [t("Made"), <When key="made" time={project.createdAt} />],
              [t("Last event"), <When key="event" time={project.lastEventAt} never={t("never")} />],
              [t("Id"), <Id key="id" value={project.id} />],
            ]}
          />
        </div>
      </Section>
      <More project={project} />
      <Usage project={project} />
      {mayBill && <Billing key={JSON.stringify([project.plan, project.trialEndsAt, project.billingEmail])} project={project} />}
      <Limits key={JSON.stringify(project.overrides)} project={project} />
      <Danger project={project} />
    </>
  );
}

function Halted({ project }: { project: Project }) {
  if (project.status !== "suspended" && project.status !== "cancelled") return null;
  return (
    <Alert color={project.status === "cancelled" ? "red" : "yellow"} icon={<IconAlert aria-hidden />} mb="md" radius="lg" className="notice">
      <Text size="sm">
        {project.status === "cancelled"
          ? t("Cancelled: read-only, and removed for good on {when}.", { when: project.purgeAt ? exact(project.purgeAt) : "–" })
          : t("Suspended: {why}. It reads, and what it would send waits.", { why: project.suspendedReason ?? "–" })}
      </Text>
    </Alert>
  );
}

/** What it has had this month, beside what its plan and its own limits allow. */
function Usage({ project: { usage, plan, overrides } }: { project: Project }) {
  const { data: plans } = usePlans();
  const quotas: Record<string, number | null | undefined> = { ...plans?.find(({ name }) => name === plan)?.quotas, ...(overrides as Partial<Overrides> | null)?.quotas };
  const of = (name: string, value: number) => (
    <>
      {counted(value, MOST)} <span className="dimmed">{quotas[name] === null ? t("no limit") : t("of {limit}", { limit: limit(name, quotas[name]) })}</span>
    </>
  );
  return (
    <Section title={t("This month, live")} aside={<Anchor component={Link} to="/usage" size="sm">{t("All projects")}</Anchor>}>
      <Facts
        facts={[
          [t("Events"), of("events", usage.eventsThisMonth)],
          [t("Notifications"), of("notifications", usage.notificationsThisMonth)],
          [t("People"), of("users", usage.users)],
        ]}
      />
    </Section>
  );
}

function More({ project }: { project: Project }) {
  const mayConnections = useMay("platform:connections");
  const mayAudit = useMay("platform:audit");
  if (!mayConnections && !mayAudit) return null;
  return (
    <Group gap="xs" mb="lg">
      {mayConnections && (
        <Button component={Link} to={`/connections?projectId=${project.id}`} variant="default" size="xs" leftSection={<IconPlug size={15} aria-hidden />}>
          {t("Its connections")}
        </Button>
      )}
      {mayAudit && (
        <Button component={Link} to={`/audit?resourceId=${project.id}`} variant="default" size="xs" leftSection={<IconList size={15} aria-hidden />}>
          {t("What operators did to it")}
        </Button>
      )}
    </Group>
  );
}
