import { Button, Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Json } from "@/components/ui/Code";
import { Days, moments } from "@/components/ui/Days";
import { useFilters } from "@/components/ui/filters";
import { IconList } from "@/components/ui/icons";
import { Listing } from "@/components/ui/Listing";
import { Page, Section } from "@/components/ui/Page";
import { Search } from "@/components/ui/Search";
import { Empty } from "@/components/ui/States";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { useLong } from "@/lib/long";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";

type Entry = Schemas["AuditEntry"];

const KINDS = ["project", "visit", "connection", "user", "plan", "settings", "session"];
const NONE = { action: null, actorId: null, resourceType: null, resourceId: null, since: null, until: null };

export function Component() {
  const [filters, change] = useFilters(["action", "actorId", "resourceType", "resourceId", "since", "until"]);
  const { action, actorId, resourceType, resourceId, since, until } = filters;
  const { from, to } = moments({ since, until });
  const list = useLong(["audit", action, actorId, resourceType, resourceId, since, until], (cursor, signal) =>
    answered(
      api.GET("/api/v1/platform/audit", {
        params: { query: { action, actorId, resourceType, resourceId, since: from, until: to, cursor } },
        signal,
      }),
    ),
  );
  const admins = useAdmins();
  const filtered = Object.values(filters).some(Boolean);
  return (
    <Page title={t("Audit log")} lead={t("What operators did. A change of a project stands in that project's log, too.")}>
      <div className="filters tight">
        <Search label={t("Action")} placeholder={t("Action")} value={action} change={(value) => change({ action: value })} />
        {admins && <Select placeholder={t("Anybody")} aria-label={t("Who")} clearable searchable clearButtonProps={{ "aria-label": t("Clear") }} value={actorId ?? null} onChange={(value) => change({ actorId: value })} data={[...admins].map(([value, label]) => ({ value, label }))} />}
        <Select placeholder={t("Anything")} aria-label={t("What it is about")} clearable clearButtonProps={{ "aria-label": t("Clear") }} value={resourceType ?? null} onChange={(value) => change({ resourceType: value })} data={KINDS} />
        <Days since={since} until={until} change={change} />
        {resourceId && (
          <Button variant="light" onClick={() => change({ resourceId: null })}>
            {t("Only …{id} ✕", { id: resourceId.slice(-8) })}
          </Button>
        )}
      </div>
      <Section>
        <Listing
          label={t("Audit log")}
          query={list}
          empty={
            <Empty icon={IconList} title={t("Nothing fits")} action={filtered && <Button variant="default" onClick={() => change(NONE)}>{t("Clear filters")}</Button>}>
              {t("No entry is like this. Actions are said whole, such as project.suspended.")}
            </Empty>
          }
          columns={[
            { name: t("Action"), cell: (entry) => <code>{entry.action}</code> },
            { name: t("Who"), cell: (entry) => who(entry, admins) },
            { name: t("From"), width: 140, cell: (entry) => entry.ipAddress ?? "–" },
            { name: t("When"), width: 130, cell: (entry) => <When time={entry.at} /> },
            { name: t("What"), cell: (entry) => <What entry={entry} /> },
          ]}
        />
      </Section>
    </Page>
  );
}

/** Names of the admins by their ids, for whoever may read them. */
function useAdmins(): Map<string, string> | undefined {
  const may = useMay("platform:admins");
  const { data } = useQuery({
    queryKey: ["admins", "names"],
    enabled: may,
    queryFn: async ({ signal }) => {
      const { items } = await answered(api.GET("/api/v1/platform/admins", { params: { query: { limit: 200 } }, signal }));
      return new Map(items.map(({ id, name, email }) => [id, name ?? email]));
    },
  });
  return data;
}

function who({ actorType, actorId }: Entry, admins?: Map<string, string>): string {
  if (!actorId) return actorType;
  return admins?.get(actorId) ?? `${actorType} …${actorId.slice(-6)}`;
}

function What({ entry }: { entry: Entry }) {
  if (!entry.metadata || Object.keys(entry.metadata).length === 0) return <span>{entry.resourceType}</span>;
  return (
    <details>
      <summary>{entry.resourceType}</summary>
      <Json value={entry.metadata} label={t("What changed")} />
    </details>
  );
}
