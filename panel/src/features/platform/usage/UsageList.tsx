import { Select } from "@mantine/core";
import { useFilters } from "@/components/ui/filters";
import { IconChart } from "@/components/ui/icons";
import { Listing } from "@/components/ui/Listing";
import { Page, Section } from "@/components/ui/Page";
import { Empty } from "@/components/ui/States";
import { answered, api } from "@/lib/api";
import { usePages } from "@/lib/queries";
import { t } from "@/lib/t";
import { usePlanLabel } from "../plans";
import { lastMonths } from "./months";

const MONTHS = 12;

export function Component() {
  const [filters, change] = useFilters(["month"]);
  const months = lastMonths(new Date(), MONTHS);
  const labelled = usePlanLabel();
  const month = filters.month ?? months[0]!.value;
  const list = usePages(["usage", month], async (cursor, signal) => {
    const day = `${month}-01`;
    const page = await answered(api.GET("/api/v1/platform/usage", { params: { query: { period: "monthly", from: day, to: day, cursor } }, signal }));
    return { ...page, items: page.items.map((item) => ({ ...item, id: item.projectId })) };
  });
  return (
    <Page title={t("Usage")} lead={t("What each project used live, a minute old at most; calls are those of both environments.")}>
      <div className="filters">
        <Select aria-label={t("Month")} allowDeselect={false} value={month} onChange={(value) => change({ month: value })} data={months} />
      </div>
      <Section>
        <Listing
          label={t("Usage")}
          query={list}
          to={(project) => `/projects/${project.projectId}`}
          empty={
            <Empty icon={IconChart} title={t("No projects yet")}>
              {t("What they use is counted from their first event on.")}
            </Empty>
          }
          columns={[
            { name: t("Project"), cell: (project) => project.name },
            { name: t("Plan"), cell: (project) => <span className="chip">{labelled(project.plan)}</span> },
            { name: t("Events"), cell: (project) => <span className="named">{project.eventsReceived.toLocaleString()}</span> },
            { name: t("Notifications"), cell: (project) => <span className="named">{project.notificationsMade.toLocaleString()}</span> },
            { name: t("Over quota"), cell: (project) => <span className="named">{project.notificationsOverQuota.toLocaleString()}</span> },
            { name: t("Sent"), cell: (project) => <span className="named">{project.notificationsSent.toLocaleString()}</span> },
            { name: t("Failed"), cell: (project) => <span className="named">{project.notificationsFailed.toLocaleString()}</span> },
            { name: t("Webhooks"), cell: (project) => <span className="named">{project.webhooksSent.toLocaleString()}</span> },
            { name: t("API calls"), cell: (project) => <span className="named">{project.apiCalls.toLocaleString()}</span> },
          ]}
        />
      </Section>
    </Page>
  );
}
