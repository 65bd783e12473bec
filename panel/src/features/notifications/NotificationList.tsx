import { SegmentedControl } from "@mantine/core";
import { IconBell } from "@/components/ui/icons";
import { Badge } from "@/components/ui/Badge";
import { useFilters } from "@/components/ui/filters";
import { type Column, Listing } from "@/components/ui/Listing";
import { Page, Section } from "@/components/ui/Page";
import { Empty } from "@/components/ui/States";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { useLong } from "@/lib/long";
import { t } from "@/lib/t";
import { AckButton, standing } from "./Acknowledge";

type Notification = Schemas["NotificationAnswer"];

const ACKNOWLEDGED: Record<string, boolean | undefined> = { open: false, done: true };

const COLUMNS: Column<Notification>[] = [
  { name: t("Title"), cell: (one) => one.title },
  { name: t("Priority"), width: 110, cell: (one) => <Badge state={one.priority} /> },
  { name: t("Standing"), width: 200, cell: (one) => <Badge state={standing(one)} /> },
  { name: t("Made"), width: 130, cell: (one) => <When time={one.createdAt} /> },
  { name: t("Do"), silent: true, width: 140, cell: (one) => <AckButton one={one} /> },
];
const link = (one: Notification) => `/notifications/${one.id}`;

export function Component() {
  const [filters, change] = useFilters(["view"]);
  const view = filters.view ?? "all";
  const list = useLong(["notifications", "list", view], (cursor, signal) =>
    answered(api.GET("/api/v1/notifications", { params: { query: { acknowledged: ACKNOWLEDGED[view], cursor } }, signal })),
  );
  return (
    <Page title={t("Notifications")} lead={t("What rules made of events, and who has seen to it.")}>
      <div className="filters">
        <SegmentedControl
          size="xs"
          aria-label={t("Show")}
          value={view}
          onChange={(chosen) => change({ view: chosen === "all" ? null : chosen })}
          data={[
            { value: "all", label: t("All") },
            { value: "open", label: t("Open") },
            { value: "done", label: t("Acknowledged") },
          ]}
        />
      </div>
      <Section>
        <Listing
          label={t("Notifications")}
          query={list}
          to={link}
          empty={
            <Empty icon={IconBell} title={view === "all" ? t("No notifications yet") : t("Nothing fits")}>
              {view === "open" ? t("Nothing waits for anybody. Well done.") : t("When an event meets a rule, what comes of it is here.")}
            </Empty>
          }
          columns={COLUMNS}
        />
      </Section>
    </Page>
  );
}
