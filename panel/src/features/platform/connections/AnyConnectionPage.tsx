import { Alert, Anchor, Button, Group, NumberInput, Text } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { Id } from "@/components/ui/Code";
import { Facts } from "@/components/ui/Facts";
import { IconAlert } from "@/components/ui/icons";
import { Page, Section } from "@/components/ui/Page";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { tell, tellProblem } from "@/components/ui/told";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { queries } from "@/lib/queries";
import { t, tn } from "@/lib/t";
import { ReasonModal } from "../ReasonModal";
import { Access } from "./Access";

type Connection = Schemas["AnyConnection"];

const path = (id: string) => ({ params: { path: { connection_id: id } } });
const again = () => queries.invalidateQueries({ queryKey: ["connections"] });

export function Component() {
  const { id = "" } = useParams();
  const { data, error, refetch } = useQuery({
    queryKey: ["connections", "one", id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/platform/connections/{connection_id}", { ...path(id), signal })),
  });
  return (
    <Page title={data?.name ?? t("Connection")} lead={data && `${data.provider} · ${data.channel}`} back={{ to: "/connections", label: t("Connections") }} actions={data && <Halt one={data} />}>
      {error ? <Failed error={error} retry={refetch} /> : data ? <Whole one={data} /> : <RowSkeletons />}
    </Page>
  );
}

function Whole({ one }: { one: Connection }) {
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
            [t("Owner"), one.owner],
            [t("Project"), one.owner === "platform" ? t("the platform") : <Anchor key="project" component={Link} to={`/projects/${one.projectId}`} size="sm">{t("Its page")}</Anchor>],
            [t("Environment"), one.env],
            [t("Id"), <Id key="id" value={one.id} />],
          ]}
        />
      </Section>
      <Use id={one.id} />
      <Ceilings key={JSON.stringify(one.ceilings)} one={one} />
      <Access id={one.id} />
    </>
  );
}

/** Suspending and activating. What the platform suspended nobody else activates. */
function Halt({ one }: { one: Connection }) {
  const [opened, { open, close }] = useDisclosure();
  const activating = useMutation({
    mutationFn: () => answered(api.PATCH("/api/v1/platform/connections/{connection_id}/activate", path(one.id))),
    onSuccess: () => tell(t("It may send again.")),
    onSettled: again,
    onError: tellProblem,
  });
  if (one.status === "suspended")
    return (
      <Button onClick={() => activating.mutate()} loading={activating.isPending}>
        {t("Activate")}
      </Button>
    );
  return (
    <>
      <Button variant="default" onClick={open}>
        {t("Suspend")}
      </Button>
      <ReasonModal
        opened={opened}
        close={close}
        title={t("Suspend {name}?", { name: one.name })}
        text={t("It sends nothing until the platform activates it. Messages take the next connection of their channel, if there is one.")}
        read={t("Its owner reads it.")}
        yes={t("Suspend")}
        act={async (reason) => {
          await answered(api.PATCH("/api/v1/platform/connections/{connection_id}/suspend", { ...path(one.id), body: { reason } }));
          await again();
        }}
      />
    </>
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
          ...path(one.id),
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
