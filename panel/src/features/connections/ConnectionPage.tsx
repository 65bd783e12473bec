import { Alert, Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useParams } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { Id } from "@/components/ui/Code";
import { Facts } from "@/components/ui/Facts";
import { IconAlert } from "@/components/ui/icons";
import { Page, Section } from "@/components/ui/Page";
import { RemoveButton } from "@/components/ui/RemoveButton";
import { Secret } from "@/components/ui/Secret";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { tell } from "@/components/ui/told";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { useHanded } from "@/lib/handed";
import { queries } from "@/lib/queries";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { Health } from "./Health";
import { GUIDED, useProviders } from "./providers";
import type { ObjectSchema } from "./schema";
import { Setup } from "./Setup";

type Connection = Schemas["ConnectionAnswer"];

export function Component() {
  const { id = "" } = useParams();
  const secret = useHanded(id);
  const { data, error, refetch } = useQuery({
    queryKey: ["connections", "one", id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/connections/{connection_id}", { params: { path: { connection_id: id } }, signal })),
  });
  return (
    <Page title={data?.name ?? t("Connection")} lead={data && `${data.provider} · ${data.channel}`} back={{ to: "/connections", label: t("Connections") }} actions={data && <Actions one={data} />}>
      {secret && <Secret name={t("Signing secret")} value={secret} />}
      {error ? <Failed error={error} retry={refetch} /> : data ? <Whole one={data} /> : <RowSkeletons />}
    </Page>
  );
}

function Whole({ one }: { one: Connection }) {
  const may = useMay("connections:manage") && one.owner !== "platform";
  return (
    <>
      {one.statusReason && (
        <Alert color={one.status === "error" ? "red" : "yellow"} icon={<IconAlert aria-hidden />} mb="md" radius="lg">
          <Text size="sm">{one.statusReason}</Text>
        </Alert>
      )}
      <Section>
        <Facts
          facts={[
            [t("Status"), <Badge key="status" state={one.status} />],
            [t("Health"), <Badge key="health" state={one.healthStatus} />],
            [t("Verified"), <When key="verified" time={one.verifiedAt} never={t("not yet")} />],
            [t("Account"), account(one)],
            [t("Default"), one.isDefault ? t("yes") : t("no")],
            [t("Id"), <Id key="id" value={one.id} />],
          ]}
        />
      </Section>
      {may && <Verify one={one} />}
      {may && <Setup id={one.id} />}
      <Settings one={one} />
      <Health id={one.id} />
    </>
  );
}

/** By the names that the provider gives them; secrets come masked. */
function Settings({ one }: { one: Connection }) {
  const provider = useProviders().data?.find((each) => each.provider === one.provider);
  const fields = [provider?.settingsSchema, provider?.credentialsSchema].map((schema) => (schema as ObjectSchema | undefined)?.properties ?? {});
  const titles: ObjectSchema["properties"] = Object.assign({}, ...fields);
  const given = Object.entries({ ...one.settings, ...one.credentials }).filter(([, value]) => value !== null);
  if (!given.length) return null;
  return (
    <Section title={t("Settings")}>
      <Facts facts={given.map(([name, value]) => [titles?.[name]?.title ?? name, typeof value === "string" ? value : JSON.stringify(value)])} />
    </Section>
  );
}

function account({ account: known }: Connection): string {
  if (!known) return "–";
  const shown = known.username ?? known.name ?? known.number ?? known.id;
  return typeof shown === "string" ? shown : JSON.stringify(known);
}

/** Asks the provider whether the credentials work; with a target it also sends something there. */
function Verify({ one }: { one: Connection }) {
  const [target, setTarget] = useState("");
  const verifying = useMutation({
    mutationFn: () =>
      answered(
        api.POST("/api/v1/connections/{connection_id}/verify", {
          params: { path: { connection_id: one.id } },
          body: target ? { target } : {},
        }),
      ),
    onSuccess: (answer) => {
      if (answer.verified) tell(t("The provider takes it."));
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["connections"] }),
  });
  const { data, error } = verifying;
  return (
    <Section title={t("Verify")}>
      <Stack gap="sm">
        <Group align="flex-end">
          <TextInput label={t("Send a test message to")} description={t("An address on this channel; empty only checks the credentials.")} value={target} onChange={({ currentTarget }) => setTarget(currentTarget.value)} style={{ flex: "1 1 260px" }} />
          <Button onClick={() => verifying.mutate()} loading={verifying.isPending} variant={one.verified ? "default" : "filled"}>
            {t("Verify")}
          </Button>
        </Group>
        {error && <Failed error={error} />}
        {data && (
          <Group gap="xs" role="status">
            <Badge state={data.status} />
            {data.testMessage && <Text size="sm">{t("A test message was sent.")}</Text>}
            {data.warnings?.map((warning) => (
              <Text key={warning} size="sm" c="dimmed">
                {warning}
              </Text>
            ))}
          </Group>
        )}
      </Stack>
    </Section>
  );
}

function Actions({ one }: { one: Connection }) {
  const may = useMay("connections:manage") && one.owner !== "platform";
  if (!may) return null;
  return (
    <>
      {one.owner === "project" && GUIDED.has(one.provider) && (
        <Button component={Link} to={`/connections/${one.provider}/${one.id}`} variant="default">
          {t("Set-up guide")}
        </Button>
      )}
      <RemoveButton
        title={t("Delete {name}?", { name: one.name })}
        text={t("Its credentials are destroyed. Messages of this channel take the next connection, if there is one.")}
        remove={() => answered(api.DELETE("/api/v1/connections/{connection_id}", { params: { path: { connection_id: one.id } } }))}
        list="/connections"
        name="connections"
      />
    </>
  );
}
