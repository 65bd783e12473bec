import { Button, Menu, Select } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { IconDownload, IconList } from "@/components/ui/icons";
import { Json } from "@/components/ui/Code";
import { Days, moments } from "@/components/ui/Days";
import { useFilters } from "@/components/ui/filters";
import { Listing } from "@/components/ui/Listing";
import { Page, Section } from "@/components/ui/Page";
import { Search } from "@/components/ui/Search";
import { Empty } from "@/components/ui/States";
import { tellProblem } from "@/components/ui/told";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { useLong } from "@/lib/long";
import { saveAs } from "@/lib/save";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { PersonName } from "../users/PersonName";

type Entry = Schemas["AuditAnswer"];

export function Component() {
  const [filters, change] = useFilters(["action", "actorType", "since", "until"]);
  const { action, actorType, since, until } = filters;
  const asked: Asked = { action, actorType, ...moments(filters) };
  const list = useLong(["audit", action, actorType, since, until], (cursor, signal) =>
    answered(api.GET("/api/v1/audit", { params: { query: { ...asked, cursor } }, signal })),
  );
  const keys = useKeyNames();
  return (
    <Page title={t("Audit log")} lead={t("Who changed what, from where. Entries are sealed into a chain and cannot be changed.")} actions={<Export asked={asked} />}>
      <div className="filters">
        <Search label={t("Action")} placeholder={t("Such as rule.updated")} value={action} change={(next) => change({ action: next })} />
        <Select
          placeholder={t("Anybody")}
          aria-label={t("Who")}
          clearable
          clearButtonProps={{ "aria-label": t("Clear") }}
          value={actorType ?? null}
          onChange={(next) => change({ actorType: next })}
          data={[
            { value: "user", label: t("People") },
            { value: "key", label: t("API keys") },
            { value: "system", label: t("Tocsin itself") },
          ]}
        />
        <Days since={since} until={until} change={change} />
      </div>
      <Section>
        <Listing
          label={t("Audit log")}
          query={list}
          empty={
            <Empty icon={IconList} title={t("Nothing fits")}>
              {t("No entry is like this. Actions are said whole, such as rule.updated.")}
            </Empty>
          }
          columns={[
            { name: t("Action"), cell: (entry) => <code>{entry.action}</code> },
            { name: t("Who"), cell: (entry) => <Who entry={entry} keys={keys} /> },
            { name: t("From"), width: 140, cell: (entry) => entry.ipAddress ?? "–" },
            { name: t("When"), width: 130, cell: (entry) => <When time={entry.timestamp} /> },
            { name: t("Change"), cell: (entry) => <Change entry={entry} /> },
          ]}
        />
      </Section>
    </Page>
  );
}

interface Asked {
  action?: string;
  actorType?: string;
  from?: string;
  to?: string;
}

const FORMATS = { csv: t("CSV, for spreadsheets"), jsonl: t("JSON lines, for programs") };

/** What is listed, as a file. The export is an entry itself. */
function Export({ asked }: { asked: Asked }) {
  const exporting = useMutation({
    mutationFn: async (format: keyof typeof FORMATS) => {
      const file = await answered(api.GET("/api/v1/audit/export", { params: { query: { ...asked, format } }, parseAs: "blob" }));
      saveAs(file as unknown as Blob, `audit.${format}`);
    },
    onError: tellProblem,
  });
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="default" leftSection={<IconDownload size={16} aria-hidden />} loading={exporting.isPending}>
          {t("Export")}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {(["csv", "jsonl"] as const).map((format) => (
          <Menu.Item key={format} onClick={() => exporting.mutate(format)}>
            {FORMATS[format]}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

const KINDS: Record<string, string> = { key: t("API key"), public_key: t("Public key"), platform_admin: t("The platform"), system: t("Tocsin itself") };

/** By name, where one may know it; else by the end of its id. */
function Who({ entry: { actorType, actorId }, keys }: { entry: Entry; keys: Map<string, string> | undefined }) {
  if (actorType === "user" && actorId) return <PersonName id={actorId} />;
  const known = actorId && keys?.get(actorId);
  const name = known || (KINDS[actorType] ?? actorType);
  if (!actorId || known) return <>{name}</>;
  return (
    <>
      {name} <span className="dimmed">…{actorId.slice(-6)}</span>
    </>
  );
}

const NAMED = 200;

/** Names of the newest keys by their ids, for whoever may read them. */
function useKeyNames(): Map<string, string> | undefined {
  const may = useMay("keys:manage");
  const { data } = useQuery({
    queryKey: ["keys", "names"],
    enabled: may,
    queryFn: async ({ signal }) => {
      const { items } = await answered(api.GET("/api/v1/projects/me/api-keys", { params: { query: { limit: NAMED } }, signal }));
      return new Map(items.map(({ id, name }) => [id, name]));
    },
  });
  return data;
}

function Change({ entry }: { entry: Entry }) {
  if (entry.erasedAt) return <span className="dimmed">{t("erased")}</span>;
  if (!entry.metadata || Object.keys(entry.metadata).length === 0) return <span className="dimmed">–</span>;
  return (
    <details>
      <summary>{entry.resourceType}</summary>
      <Json value={entry.metadata} label={t("What changed")} />
    </details>
  );
}
