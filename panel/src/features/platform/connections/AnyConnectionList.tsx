import { Button, Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { useFilters } from "@/components/ui/filters";
import { IconPlug, IconPlus } from "@/components/ui/icons";
import { Listing } from "@/components/ui/Listing";
import { Page, Section } from "@/components/ui/Page";
import { Search } from "@/components/ui/Search";
import { Empty } from "@/components/ui/States";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { usePages } from "@/lib/queries";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { useTitles } from "../../connections/providers";

type Listed = Schemas["ListedConnection"];

const OWNERS = [
  { value: "platform", label: t("The platform's") },
  { value: "project", label: t("Projects'") },
  { value: "user", label: t("People's") },
];
const STATUSES = [
  { value: "active", label: t("Active") },
  { value: "pending", label: t("Pending") },
  { value: "suspended", label: t("Suspended") },
  { value: "rate_limited", label: t("Rate limited") },
  { value: "error", label: t("Error") },
];
const NONE = { projectId: null, owner: null, provider: null, status: null };

export function Component() {
  const [filters, change] = useFilters(["projectId", "owner", "provider", "status"]);
  const { projectId, provider } = filters;
  const owner = filters.owner as Listed["owner"] | undefined;
  const status = filters.status as Listed["status"] | undefined;
  const list = usePages(["connections", "list", projectId, owner, provider, status], (cursor, signal) =>
    answered(api.GET("/api/v1/platform/connections", { params: { query: { projectId, owner, provider, status, cursor } }, signal })),
  );
  const nameOf = useProjectNames();
  const title = useTitles();
  const lend = useMay("platform:settings") && (
    <Button component={Link} to="/connections/new" leftSection={<IconPlus size={16} aria-hidden />}>
      {t("Lend a connection")}
    </Button>
  );
  return (
    <Page title={t("Connections")} lead={t("Those of all projects, by what they are and do. What people wrote in them is not shown.")} actions={lend}>
      <div className="filters">
        <Search label={t("Provider")} placeholder={t("Provider, such as smtp")} value={provider} change={(value) => change({ provider: value })} />
        <Select placeholder={t("Anybody's")} aria-label={t("Owner")} clearable clearButtonProps={{ "aria-label": t("Clear") }} value={owner ?? null} onChange={(value) => change({ owner: value })} data={OWNERS} />
        <Select placeholder={t("Any status")} aria-label={t("Status")} clearable clearButtonProps={{ "aria-label": t("Clear") }} value={status ?? null} onChange={(value) => change({ status: value })} data={STATUSES} />
        {projectId && (
          <Button variant="light" onClick={() => change({ projectId: null })}>
            {t("Only {name} ✕", { name: nameOf(projectId) })}
          </Button>
        )}
      </div>
      <Section>
        <Listing
          label={t("Connections")}
          query={list}
          to={(one) => `/connections/${one.id}`}
          empty={
            <Empty icon={IconPlug} title={t("No connection is like this")} action={<Button variant="default" onClick={() => change(NONE)}>{t("Clear filters")}</Button>}>
              {t("Projects connect bots, mail servers and numbers of their own; a platform's are lent to them.")}
            </Empty>
          }
          columns={[
            { name: t("Provider"), cell: (one) => title(one.provider) },
            { name: t("Project"), cell: (one) => (one.owner === "platform" ? t("the platform") : nameOf(one.projectId)) },
            { name: t("Owner"), width: 110, cell: (one) => <span className="chip">{one.owner}</span> },
            { name: t("Status"), width: 140, cell: (one) => <Badge state={one.status} /> },
            { name: t("Health"), width: 140, cell: (one) => <Badge state={one.healthStatus} /> },
            { name: t("Checked"), width: 120, cell: (one) => <span className="named"><When time={one.lastHealthCheck} /></span> },
          ]}
        />
      </Section>
    </Page>
  );
}

const NAMED = 200;

/** Names of the newest projects, for the list; an older one is shown by its id. */
function useProjectNames(): (id: string) => string {
  const { data } = useQuery({
    queryKey: ["projects", "names"],
    queryFn: async ({ signal }) => {
      const { items } = await answered(api.GET("/api/v1/platform/projects", { params: { query: { limit: NAMED } }, signal }));
      return new Map(items.map(({ id, name }) => [id, name]));
    },
  });
  return (id) => data?.get(id) ?? `…${id.slice(-8)}`;
}
