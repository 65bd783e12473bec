import { Button, Select } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Badge } from "@/components/ui/Badge";
import { useFilters } from "@/components/ui/filters";
import { IconBuilding, IconPlus } from "@/components/ui/icons";
import { Listing } from "@/components/ui/Listing";
import { Page, Section } from "@/components/ui/Page";
import { Search } from "@/components/ui/Search";
import { Empty } from "@/components/ui/States";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { useLong } from "@/lib/long";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { usePlanLabel, usePlans } from "../plans";
import { counted } from "../words";
import { NewProject } from "./NewProject";

type Status = Schemas["ListedProject"]["status"];

const STATUSES = [
  { value: "active", label: t("Active") },
  { value: "trial", label: t("On trial") },
  { value: "suspended", label: t("Suspended") },
  { value: "cancelled", label: t("Cancelled") },
];
export const MOST = 10_000;

export function Component() {
  const may = useMay("platform:projects");
  const [opened, { open, close }] = useDisclosure();
  const [filters, change] = useFilters(["search", "status", "plan"]);
  const { data: plans } = usePlans();
  const labelled = usePlanLabel();
  const { search, plan } = filters;
  const status = filters.status as Status | undefined;
  const list = useLong(["projects", "list", search, status, plan], (cursor, signal) =>
    answered(api.GET("/api/v1/platform/projects", { params: { query: { search, status, plan, cursor } }, signal })),
  );
  const add = may && (
    <Button onClick={open} leftSection={<IconPlus size={16} aria-hidden />}>
      {t("New project")}
    </Button>
  );
  const filtered = Boolean(search ?? status ?? plan);
  return (
    <Page title={t("Projects")} lead={t("Every tenant of this installation.")} actions={add}>
      <div className="filters">
        <Search label={t("Search projects")} placeholder={t("Name or slug")} value={search} change={(value) => change({ search: value })} />
        <Select placeholder={t("Any status")} aria-label={t("Status")} clearable clearButtonProps={{ "aria-label": t("Clear") }} value={status ?? null} onChange={(value) => change({ status: value })} data={STATUSES} />
        <Select placeholder={t("Any plan")} aria-label={t("Plan")} clearable clearButtonProps={{ "aria-label": t("Clear") }} value={plan ?? null} onChange={(value) => change({ plan: value })} data={(plans ?? []).map(({ name, label }) => ({ value: name, label }))} />
      </div>
      <Section>
        <Listing
          label={t("Projects")}
          query={list}
          to={(project) => `/projects/${project.id}`}
          empty={
            filtered ? (
              <Empty icon={IconBuilding} title={t("Nothing fits")} action={<Button variant="default" onClick={() => change({ search: null, status: null, plan: null })}>{t("Clear filters")}</Button>}>
                {t("No project is like this.")}
              </Empty>
            ) : (
              <Empty icon={IconBuilding} title={t("No projects yet")} action={add}>
                {t("People make their own at /panel/signup, where that is open, or you make one for them.")}
              </Empty>
            )
          }
          columns={[
            { name: t("Name"), cell: (project) => project.name },
            { name: t("Slug"), cell: (project) => <code>{project.slug}</code> },
            { name: t("Status"), width: 120, cell: (project) => <Badge state={project.status} /> },
            { name: t("Plan"), width: 120, cell: (project) => <span className="chip">{labelled(project.plan)}</span> },
            { name: t("People"), width: 90, cell: (project) => <span className="named">{counted(project.usage.users, MOST)}</span> },
            { name: t("Events this month"), width: 150, cell: (project) => <span className="named">{counted(project.usage.eventsThisMonth, MOST)}</span> },
            { name: t("Last event"), width: 120, cell: (project) => <span className="named"><When time={project.lastEventAt} never={t("never")} /></span> },
          ]}
        />
      </Section>
      <NewProject opened={opened} close={close} />
    </Page>
  );
}
