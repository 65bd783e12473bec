import { Alert, Anchor, Button, Group, NumberInput, Text } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQuery } from "@tanstack/react-query";
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
import { t, tn } from "@/lib/t";
import { useTitles } from "../../connections/providers";
import { Settings } from "../../connections/Settings";
import { Setup } from "../../connections/Setup";
import { accountOf } from "../../connections/setup";
import { at } from "../../connections/store";
import { Verify } from "../../connections/Verify";
import { ActivateButton, SuspendButton } from "../Halting";
import { Access } from "./Access";
import { OF_PLATFORM } from "./lent";

type Connection = Schemas["AnyConnection"];

const again = () => queries.invalidateQueries({ queryKey: ["connections"] });

export function Component() {
  const { id = "" } = useParams();
  const secret = useHanded(id);
  const title = useTitles();
  const { data, error, refetch } = useQuery({
    queryKey: ["connections", "one", id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/platform/connections/{connection_id}", { ...at(id), signal })),
  });
  return (
    <Page title={data?.name ?? t("Connection")} lead={data && title(data.provider)} back={{ to: "/connections", label: t("Connections") }} actions={data && <Actions one={data} />}>
      {secret && <Secret name={t("Signing secret")} value={secret} />}
      {error ? <Failed error={error} retry={refetch} /> : data ? <Whole one={data} /> : <RowSkeletons />}
    </Page>
  );
}

/** Whether whoever is signed in may change it: those of projects are theirs alone. */
const useMine = (one: Connection) => useMay("platform:settings") && one.owner === "platform";

function Whole({ one }: { one: Connection }) {
  const mine = useMine(one);
  return (
    <>
      {one.statusReason && (
        <Alert color={one.status === "error" ? "red" : "yellow"} icon={<IconAlert aria-hidden />} mb="md" radius="lg" className="notice">
          <Text size="sm">{one.statusReason}</Text>
        </Alert>
      )}
      <Section>
        <Facts
          facts={[
            [t("Status"), <Badge key="status" state={one.status} />],
            [t("Health"), <Badge key="health" state={one.healthStatus} />],
            [t("Checked"), <When key="checked" time={one.lastHealthCheck} never={t("not yet")} />],
            ...(mine ? ([[t("Account"), accountOf(one)]] as [string, string][]) : []),
            [t("Owner"), one.owner],
            [t("Project"), one.owner === "platform" ? t("the platform") : <Project key="project" id={one.projectId} />],
            [t("Environment"), one.env],
            [t("Id"), <Id key="id" value={one.id} />],
          ]}
        />
      </Section>
      {mine && <Verify one={one} store={OF_PLATFORM} />}
      {mine && <Setup id={one.id} store={OF_PLATFORM} />}
      {mine && <Settings one={one} may store={OF_PLATFORM} />}
      <Use id={one.id} />
      <Ceilings key={JSON.stringify(one.ceilings)} one={one} />
      {!mine && <Access id={one.id} />}
    </>
  );
}

function Actions({ one }: { one: Connection }) {
  const mine = useMine(one);
  return (
    <>
      <Halt one={one} />
      {mine && (
        <RemoveButton
          title={t("Delete {name}?", { name: one.name })}
          text={t("Its credentials are destroyed. Projects that sent over it fall back to the mail server of the installation, or fail.")}
          remove={() => OF_PLATFORM.remove(one.id)}
          list="/connections"
          name="connections"
        />
      )}
    </>
  );
}

function Project({ id }: { id: string }) {
  const { data } = useQuery({
    queryKey: ["projects", "one", id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/platform/projects/{project_id}", { params: { path: { project_id: id } }, signal })),
  });
  return (
    <Anchor component={Link} to={`/projects/${id}`} size="sm">
      {data?.name ?? `…${id.slice(-8)}`}
    </Anchor>
  );
}

/** Suspending and activating. What the platform suspended nobody else activates. */
function Halt({ one }: { one: Connection }) {
  if (one.status === "suspended")
    return <ActivateButton done={t("It may send again.")} activate={() => answered(api.PATCH("/api/v1/platform/connections/{connection_id}/activate", at(one.id)))} again={again} />;
  return (
    <SuspendButton
      name={one.name}
      text={t("It sends nothing until the platform activates it. Messages take the next connection of their channel, if there is one.")}
      read={one.owner === "platform" ? t("It is shown here.") : t("Its owner reads it.")}
      suspend={async (reason) => {
        await answered(api.PATCH("/api/v1/platform/connections/{connection_id}/suspend", { ...at(one.id), body: { reason } }));
        await again();
      }}
    />
  );
}

const DAYS = 7;

function Use({ id }: { id: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: ["connections", "use", id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/platform/connections/{connection_id}/stats", { params: { path: { connection_id: id }, query: { days: DAYS } }, signal })),
  });
  return (
    <Section title={t("The last seven days")} aside={data && <span className="dimmed">{tn(data.projects, "1 project", "{n} projects")}</span>}>
      {error ? (
        <Failed error={error} retry={refetch} />
      ) : data ? (
        <Facts
          facts={[
            [t("Sent"), data.sent.toLocaleString()],
            [t("Delivered"), data.delivered.toLocaleString()],
            [t("Failed"), data.failed.toLocaleString()],
            [t("Waiting"), data.waiting.toLocaleString()],
          ]}
        />
      ) : (
        <RowSkeletons count={1} />
      )}
    </Section>
  );
}

/** What its owner cannot go above. */
function Ceilings({ one }: { one: Connection }) {
  const { requestsPerSecond, maxConcurrent } = one.ceilings;
  const form = useForm({ initialValues: { requestsPerSecond: requestsPerSecond ?? ("" as number | ""), maxConcurrent: maxConcurrent ?? ("" as number | "") } });
  const saving = useMutation({
    mutationFn: (values: typeof form.values) =>
      answered(
        api.PATCH("/api/v1/platform/connections/{connection_id}/limits", {
          ...at(one.id),
          body: { requestsPerSecond: values.requestsPerSecond === "" ? null : values.requestsPerSecond, maxConcurrent: values.maxConcurrent === "" ? null : values.maxConcurrent },
        }),
      ),
    onSuccess: async () => {
      tell(t("Saved."));
      await again();
    },
  });
  return (
    <Section title={t("Limits")}>
      <form onSubmit={form.onSubmit((values) => saving.mutate(values))}>
        {saving.error && <Failed error={saving.error} />}
        <Group align="flex-end">
          <NumberInput label={t("Messages a second")} placeholder={t("unlimited")} min={1} {...form.getInputProps("requestsPerSecond")} />
          <NumberInput label={t("At once")} placeholder={t("unlimited")} min={1} {...form.getInputProps("maxConcurrent")} />
          <Button type="submit" variant="default" loading={saving.isPending} disabled={!form.isDirty()}>
            {t("Save")}
          </Button>
        </Group>
      </form>
    </Section>
  );
}
