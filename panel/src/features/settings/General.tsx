import { Group, NumberInput, Select, Switch, Textarea, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Badge } from "@/components/ui/Badge";
import { Id } from "@/components/ui/Code";
import { Facts } from "@/components/ui/Facts";
import { Loaded } from "@/components/ui/Loaded";
import { Section } from "@/components/ui/Page";
import { When } from "@/components/ui/When";
import { answered, api } from "@/lib/api";
import { reread } from "@/lib/session";
import { t } from "@/lib/t";
import { useMonths } from "@/lib/plan";
import { currencies, languages, timezones } from "./choices";
import { OptIn } from "./OptIn";
import { Part } from "./Part";
import { update, useProject, useSettings, type Project, type Settings } from "./project";
import { QuietHours } from "./QuietHours";

export function General() {
  const project = useProject();
  const settings = useSettings();
  return (
    <>
      <Loaded query={project}>{(found) => <About project={found} />}</Loaded>
      <Loaded query={settings}>
        {(found) => (
          <>
            <Region settings={found} />
            <QuietHours quiet={found.quietHours ?? null} />
            <OptIn topics={found.optInTopics ?? []} />
            <Sending settings={found} />
          </>
        )}
      </Loaded>
    </>
  );
}

function About({ project }: { project: Project }) {
  const save = async ({ name, description }: { name: string; description: string }) => {
    await answered(api.PUT("/api/v1/projects/me", { body: { name, description: description || null } }));
    await reread();
  };
  const { data: plan } = useMonths();
  return (
    <>
      <Section>
        <Facts
          facts={[
            [t("Status"), <Badge key="status" state={project.status} />],
            [t("Plan"), plan?.planLabel ?? "…"],
            [t("Short name"), <Id key="slug" value={project.slug} />],
            [t("Id"), <Id key="id" value={project.id} />],
            [t("Since"), <When key="since" time={project.createdAt} />],
          ]}
        />
      </Section>
      <Part title={t("Project")} initial={{ name: project.name, description: project.description ?? "" }} save={save}>
        {(form) => (
          <>
            <TextInput label={t("Name")} required {...form.getInputProps("name")} />
            <Textarea label={t("Description")} autosize minRows={2} maxRows={6} {...form.getInputProps("description")} />
          </>
        )}
      </Part>
    </>
  );
}

function Region({ settings }: { settings: Settings }) {
  const owner = useOwner();
  const initial = { timezone: settings.timezone ?? "UTC", language: settings.language ?? "en", currency: settings.currency ?? "USD", billingEmail: settings.billingEmail ?? "" };
  return (
    <Part title={t("Place and language")} initial={initial} save={({ billingEmail, ...rest }) => update({ ...rest, billingEmail: billingEmail || null })}>
      {(form) => (
        <>
          <Select label={t("Time zone")} description={t("For clocks, digests and people who named none.")} searchable limit={80} allowDeselect={false} data={timezones(initial.timezone)} {...form.getInputProps("timezone")} />
          <Group grow align="flex-start">
            <Select label={t("Language")} searchable allowDeselect={false} data={languages(initial.language)} {...form.getInputProps("language")} />
            <Select label={t("Currency")} searchable limit={80} allowDeselect={false} data={currencies(initial.currency)} {...form.getInputProps("currency")} />
          </Group>
          <TextInput label={t("Billing contact")} description={t("Hears by mail when a quota runs low. Empty: the owner.")} type="email" placeholder={owner} {...form.getInputProps("billingEmail")} />
        </>
      )}
    </Part>
  );
}

/** The address that is used while there is no other, where it may be seen. */
function useOwner(): string | undefined {
  const { data } = useQuery({
    queryKey: ["users", "owner"],
    retry: false,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/users", { params: { query: { role: "owner", limit: 1 } }, signal })),
  });
  return data?.items[0]?.email ?? undefined;
}

function Sending({ settings: { connections = {} } }: { settings: Settings }) {
  const initial = {
    usePlatform: connections.usePlatform ?? true,
    requireVerifiedAddresses: connections.requireVerifiedAddresses ?? false,
    ownPerProvider: connections.ownPerProvider ?? 1,
    phoneCodesPerDay: connections.phoneCodesPerDay ?? 100,
  };
  const save = ({ ownPerProvider, phoneCodesPerDay, ...switches }: typeof initial) => update({ connections: { ...switches, ownPerProvider: Number(ownPerProvider), phoneCodesPerDay: Number(phoneCodesPerDay) } });
  return (
    <Part title={t("Sending")} initial={initial} save={save}>
      {(form) => (
        <>
          <Switch label={t("Use the platform's connections")} description={t("Where none of your own can send.")} {...form.getInputProps("usePlatform", { type: "checkbox" })} />
          <Switch label={t("Only proven addresses")} description={t("Mail and SMS go only to addresses whose owners confirmed them.")} {...form.getInputProps("requireVerifiedAddresses", { type: "checkbox" })} />
          <Group grow align="flex-end">
            <NumberInput label={t("Connections of one's own")} description={t("How many a person may have at one provider.")} required min={1} max={20} allowDecimal={false} {...form.getInputProps("ownPerProvider")} />
            <NumberInput label={t("Codes by SMS a day")} description={t("That prove numbers, in the whole project; 0: none.")} required min={0} max={100_000} thousandSeparator=" " allowDecimal={false} {...form.getInputProps("phoneCodesPerDay")} />
          </Group>
        </>
      )}
    </Part>
  );
}
