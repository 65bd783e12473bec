import { Button, NumberInput, SimpleGrid, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Badge } from "@/components/ui/Badge";
import { IconDownload, IconShield } from "@/components/ui/icons";
import { Listing } from "@/components/ui/Listing";
import { Loaded } from "@/components/ui/Loaded";
import { Section } from "@/components/ui/Page";
import { Empty } from "@/components/ui/States";
import { saveAs } from "@/lib/save";
import { tellProblem } from "@/components/ui/told";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { usePages } from "@/lib/queries";
import { useMay, useSession } from "@/lib/session";
import { t } from "@/lib/t";
import { Part } from "./Part";

type Compliance = Schemas["ComplianceAnswer"];

export function Privacy() {
  const mayExport = useMay("project:delete");
  const mayAudit = useMay("audit:read");
  const compliance = useQuery({
    queryKey: ["project", "compliance"],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/me/compliance", { signal })),
  });
  return (
    <>
      <Loaded query={compliance}>
        {(found) => (
          <>
            <Kept days={found.retentionDays ?? {}} />
            <Contact contact={found.gdprContact ?? null} />
          </>
        )}
      </Loaded>
      {mayExport && <Export />}
      {mayAudit && <Visits />}
    </>
  );
}

const change = (body: Schemas["ComplianceFields"]) => answered(api.PUT("/api/v1/projects/me/compliance", { body }));
/** An empty field of numbers is an empty text. */
const days = (value: number | ""): number | null => (value === "" ? null : value);

function Kept({ days: kept }: { days: NonNullable<Compliance["retentionDays"]> }) {
  const initial: Record<"events" | "notifications" | "deliveries" | "audit", number | ""> = {
    events: kept.events ?? "",
    notifications: kept.notifications ?? "",
    deliveries: kept.deliveries ?? "",
    audit: kept.audit ?? "",
  };
  const save = ({ events, notifications, deliveries, audit }: typeof initial) =>
    change({ retentionDays: { events: days(events), notifications: days(notifications), deliveries: days(deliveries), audit: days(audit) } });
  const field = { suffix: t(" days"), allowDecimal: false, placeholder: t("as the installation does") };
  return (
    <Part title={t("How long things are kept")} lead={t("What is older is removed for good. An empty field follows the installation.")} initial={initial} save={save}>
      {(form) => (
        <SimpleGrid cols={{ base: 1, xs: 2 }}>
          <NumberInput label={t("Events")} min={7} max={3650} {...field} {...form.getInputProps("events")} />
          <NumberInput label={t("Notifications")} min={7} max={3650} {...field} {...form.getInputProps("notifications")} />
          <NumberInput label={t("Deliveries")} min={7} max={3650} {...field} {...form.getInputProps("deliveries")} />
          <NumberInput label={t("Audit log")} min={365} max={3650} {...field} {...form.getInputProps("audit")} />
        </SimpleGrid>
      )}
    </Part>
  );
}

function Contact({ contact }: { contact: Compliance["gdprContact"] }) {
  const initial = { email: contact?.email ?? "", name: contact?.name ?? "" };
  return (
    <Part title={t("Data protection")} lead={t("Whom people can ask about their data.")} initial={initial} save={({ email, name }) => change({ gdprContact: email ? { email, name: name || null } : null })}>
      {(form) => (
        <SimpleGrid cols={{ base: 1, xs: 2 }}>
          <TextInput label={t("E-mail")} type="email" placeholder="privacy@example.com" {...form.getInputProps("email")} />
          <TextInput label={t("Name")} {...form.getInputProps("name")} />
        </SimpleGrid>
      )}
    </Part>
  );
}

function Export() {
  const slug = useSession((session) => session.me?.project.slug ?? "project");
  const exporting = useMutation({
    mutationFn: () => answered(api.GET("/api/v1/projects/me/export", { parseAs: "blob" })),
    onSuccess: (found) => saveAs(found as unknown as Blob, `${slug}.jsonl`),
    onError: tellProblem,
  });
  return (
    <Section
      title={t("Export")}
      aside={
        <Button size="compact-sm" variant="default" leftSection={<IconDownload size={14} aria-hidden />} onClick={() => exporting.mutate()} loading={exporting.isPending}>
          {t("Download")}
        </Button>
      }
    >
      <Text size="sm" c="dimmed">
        {t("Everything this project has, but its secrets: JSON lines of table and row.")}
      </Text>
    </Section>
  );
}

function Visits() {
  const list = usePages(["project", "visits"], (cursor, signal) => answered(api.GET("/api/v1/projects/me/visits", { params: { query: { cursor } }, signal })));
  return (
    <Section title={t("Visits of the platform")}>
      <Listing
        label={t("Visits of the platform")}
        query={list}
        empty={
          <Empty icon={IconShield} title={t("Nobody has been here")}>
            {t("Who runs the platform can come in only with a reason, for an hour at most, and it stands here.")}
          </Empty>
        }
        columns={[
          { name: t("Who"), cell: (visit) => <strong>{visit.admin.name}</strong> },
          { name: t("Why"), cell: (visit) => visit.reason },
          { name: t("May"), width: 110, cell: (visit) => (visit.write ? t("change") : t("read")) },
          { name: t("From"), width: 120, cell: (visit) => <When time={visit.startedAt} /> },
          { name: t("Until"), width: 150, cell: (visit) => (visit.endedAt || new Date(visit.expiresAt) < new Date() ? <When time={visit.endedAt ?? visit.expiresAt} /> : <Badge state="active" />) },
        ]}
      />
    </Section>
  );
}
