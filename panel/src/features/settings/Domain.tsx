import { Button, Group, Stack, Table, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Badge } from "@/components/ui/Badge";
import { Id } from "@/components/ui/Code";
import { confirm } from "@/components/ui/confirm";
import { Facts } from "@/components/ui/Facts";
import { Loaded } from "@/components/ui/Loaded";
import { Lacking } from "@/components/ui/NoRoom";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { tell, tellProblem } from "@/components/ui/told";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { useLack } from "@/lib/plan";
import { queries } from "@/lib/queries";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { Part } from "./Part";
import { ifAny } from "./project";

type Claimed = Schemas["DomainAnswer"];

const again = () => queries.invalidateQueries({ queryKey: ["project", "domain"] });

export function Domain() {
  const domain = useQuery({
    queryKey: ["project", "domain"],
    queryFn: ({ signal }) => ifAny("domain", () => answered(api.GET("/api/v1/projects/me/domain", { signal }))),
  });
  return <Loaded query={domain}>{(claimed) => (claimed ? <Whole key={claimed.id} domain={claimed} /> : <Claim />)}</Loaded>;
}

const OWN = t("A domain of your own");
const MEANING = t("Panel, sign-in and API answer under your name, in your look. Choose a name below a domain that is yours; two DNS records then prove it.");

function Claim() {
  const lack = useLack("customDomain");
  if (lack)
    return (
      <Section title={OWN}>
        <Text size="sm" c="dimmed" mb="md" maw={620}>
          {MEANING}
        </Text>
        <Lacking lack={lack} />
      </Section>
    );
  const claim = ({ domain }: { domain: string }) => answered(api.POST("/api/v1/projects/me/domain", { body: { domain } }));
  return (
    <Part
      title={OWN}
      lead={MEANING}
      initial={{ domain: "" }}
      save={claim}
      verb={t("Claim it")}
    >
      {(form) => <TextInput label={t("Name")} placeholder="alerts.example.com" required spellCheck={false} {...form.getInputProps("domain")} />}
    </Part>
  );
}

function Whole({ domain }: { domain: Claimed }) {
  const may = useMay("project:manage");
  const verifying = useMutation({
    mutationFn: () => answered(api.POST("/api/v1/projects/me/domain/verify")),
    onSuccess: () => tell(t("Proven. Requests under this name are yours from now on.")),
    onSettled: again,
  });
  return (
    <>
      <Section title={domain.readable} aside={<Badge state={domain.status} />}>
        <Facts
          facts={[
            [t("Proven"), <When key="proven" time={domain.verifiedAt} never={t("not yet")} />],
            [t("Last looked up"), <When key="looked" time={domain.checkedAt} never={t("never")} />],
            [t("Claimed"), <When key="claimed" time={domain.createdAt} />],
            ...(domain.missingSince ? ([[t("Record missing"), <When key="missing" time={domain.missingSince} />]] as [string, React.ReactNode][]) : []),
          ]}
        />
      </Section>
      <Section title={t("Records to set")}>
        <Stack gap="sm">
          <Text size="sm" c="dimmed">
            {domain.status === "verified" ? t("Leave them as they are. The second one is looked up once a day; a week without it ends the domain.") : t("Set both where the DNS of your domain is kept. Until they are seen everywhere may take an hour.")}
          </Text>
          <Records records={domain.records} />
          {verifying.error && <Failed error={verifying.error} />}
          {may && (
            <Group>
              <Button onClick={() => verifying.mutate()} loading={verifying.isPending} variant={domain.status === "verified" ? "default" : "filled"}>
                {domain.status === "verified" ? t("Look again") : t("Verify")}
              </Button>
              <GiveUp name={domain.readable} />
            </Group>
          )}
        </Stack>
      </Section>
    </>
  );
}

function Records({ records }: { records: Claimed["records"] }) {
  return (
    <Table className="rows" aria-label={t("DNS records")}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th scope="col" w={90}>
            {t("Type")}
          </Table.Th>
          <Table.Th scope="col">{t("Name")}</Table.Th>
          <Table.Th scope="col">{t("Value")}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {records.map(({ type, name, value }) => (
          <Table.Tr key={type}>
            <Table.Td>
              <span className="chip">{type}</span>
            </Table.Td>
            <Table.Td>
              <Id value={name} />
            </Table.Td>
            <Table.Td>
              <Id value={value} />
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function GiveUp({ name }: { name: string }) {
  const leaving = useMutation({
    mutationFn: () => answered(api.DELETE("/api/v1/projects/me/domain")),
    onSettled: again,
    onError: tellProblem,
  });
  const ask = () => confirm({ title: t("Give {name} up?", { name }), text: t("Within a second nothing answers under it for this project."), yes: t("Give it up"), act: () => leaving.mutate() });
  return (
    <Button variant="default" onClick={ask} loading={leaving.isPending}>
      {t("Give it up")}
    </Button>
  );
}
