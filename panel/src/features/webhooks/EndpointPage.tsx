import { Alert, Button, Group, Select, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { useParams } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { CodeBlock } from "@/components/ui/Code";
import { Facts } from "@/components/ui/Facts";
import { IconAlert, IconSend } from "@/components/ui/icons";
import { Page, Section } from "@/components/ui/Page";
import { RemoveButton } from "@/components/ui/RemoveButton";
import { RotatedSecret } from "@/components/ui/RotatedSecret";
import { Secret } from "@/components/ui/Secret";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { tellProblem } from "@/components/ui/told";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { useHanded } from "@/lib/handed";
import { queries } from "@/lib/queries";
import { useMay } from "@/lib/session";
import { t, tn } from "@/lib/t";
import { exact, milliseconds } from "@/lib/when";
import { Log } from "./Log";

type Endpoint = Schemas["WebhookEndpointAnswer"];

const again = () => queries.invalidateQueries({ queryKey: ["webhooks"] });
const path = (id: string) => ({ params: { path: { endpoint_id: id } } });

/** Nobody announces how an endpoint fares. */
const LOOK_MS = 5_000;
const LOOK_AGAIN_MS = 1_000;
const isRecovering = (one: Endpoint | undefined): boolean => Boolean(one?.recovery && !one.recovery.finishedAt);

interface Shown {
  one: Endpoint;
  renewed: () => void;
}

export function Component() {
  const { id = "" } = useParams();
  return <One key={id} id={id} />;
}

function One({ id }: { id: string }) {
  const first = useHanded(id);
  const [isFirst, setFirst] = useState(true);
  const { data, error, refetch } = useQuery({
    queryKey: ["webhooks", "one", id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/webhook-endpoints/{endpoint_id}", { ...path(id), signal })),
    refetchInterval: ({ state }) => (isRecovering(state.data) ? LOOK_AGAIN_MS : LOOK_MS),
  });
  return (
    <Page title={data ? data.description || new URL(data.url).host : t("Endpoint")} lead={data?.url} back={{ to: "/webhooks", label: t("Webhooks") }} actions={data && <Actions one={data} />}>
      {first && isFirst && <Secret name={t("Signing secret")} value={first} />}
      {error ? <Failed error={error} retry={refetch} /> : data ? <Whole one={data} renewed={() => setFirst(false)} /> : <RowSkeletons />}
    </Page>
  );
}

function Whole({ one, renewed }: Shown) {
  return (
    <>
      {one.statusReason && (
        <Alert className="notice" color="yellow" icon={<IconAlert aria-hidden />} mb="md" radius="lg">
          <Text size="sm">{one.statusReason}</Text>
        </Alert>
      )}
      <Section>
        <Facts
          facts={[
            [t("Status"), <Badge key="status" state={one.status} />],
            [t("Hears"), one.eventTypes.map((type) => <span key={type} className="chip">{type}</span>)],
            [t("Last success"), <When key="success" time={one.lastSuccessAt} never={t("never")} />],
            [t("Last failure"), <When key="failure" time={one.lastFailureAt} never={t("never")} />],
            [t("Timeout"), t("{n} s", { n: one.timeoutSeconds })],
          ]}
        />
      </Section>
      <TestCall id={one.id} />
      <Recover one={one} />
      <SigningSecret one={one} renewed={renewed} />
      <Log endpointId={one.id} />
    </>
  );
}

/** Calls the endpoint now, and shows its own answer. */
function TestCall({ id }: { id: string }) {
  const may = useMay("webhooks:manage");
  const testing = useMutation({
    mutationFn: () => answered(api.POST("/api/v1/webhook-endpoints/{endpoint_id}/test", path(id))),
    onSettled: again,
  });
  if (!may) return null;
  const { data, error } = testing;
  return (
    <Section
      title={t("Test")}
      aside={
        <Button size="xs" variant="default" leftSection={<IconSend size={14} aria-hidden />} loading={testing.isPending} onClick={() => testing.mutate()}>
          {t("Call it now")}
        </Button>
      }
    >
      {error && <Failed error={error} />}
      {!data && !error && (
        <Text size="sm" c="dimmed">
          {t("Sends a signed webhook.test and shows the answer here.")}
        </Text>
      )}
      {data && (
        <div role="status">
          <Group gap="xs" mb="xs">
            <Badge state={data.state} />
            <Text size="sm">
              {data.responseStatus ?? ""} {data.error ?? ""} {data.durationMs !== null && milliseconds(data.durationMs)}
            </Text>
          </Group>
          {data.responseBody && <CodeBlock text={data.responseBody} label={t("Answer")} />}
        </div>
      )}
    </Section>
  );
}

const HOURS = { "1": t("the last hour"), "24": t("the last day"), "168": t("the last week") };
const AN_HOUR_MS = 3_600_000;

/** Sends again whatever failed since then; what arrived later is left out. */
function Recover({ one }: { one: Endpoint }) {
  const may = useMay("webhooks:manage");
  const [hours, setHours] = useState<string>("24");
  const recovering = useMutation({
    mutationFn: () =>
      answered(
        api.POST("/api/v1/webhook-endpoints/{endpoint_id}/recover", {
          ...path(one.id),
          body: { since: new Date(Date.now() - Number(hours) * AN_HOUR_MS).toISOString() },
        }),
      ),
    onSettled: again,
  });
  if (!may) return null;
  return (
    <Section title={t("Recover")}>
      <Text size="sm" c="dimmed" mb="sm">
        {one.status === "active"
          ? t("After an outage: whatever was given up is sent again, with the same ids. What arrived is left out.")
          : t("What fails now is kept. Switch the endpoint on again, then send what it missed from here.")}
      </Text>
      <Group align="flex-end">
        <Select label={t("Send again what failed in")} data={Object.entries(HOURS).map(([value, label]) => ({ value, label }))} value={hours} onChange={(value) => setHours(value ?? "24")} allowDeselect={false} />
        <Button variant="default" disabled={one.status !== "active"} loading={recovering.isPending || isRecovering(one)} onClick={() => recovering.mutate()}>
          {t("Send again")}
        </Button>
      </Group>
      {recovering.error && <Failed error={recovering.error} />}
      {one.recovery && <Recovered {...one.recovery} />}
    </Section>
  );
}

/** How far it has come. What became of each call stands in the log. */
function Recovered({ since, resent, finishedAt }: NonNullable<Endpoint["recovery"]>) {
  const start = exact(since);
  const count = tn(resent, "1 call that had failed since {start} is sent again.", "{n} calls that had failed since {start} are sent again.", { start });
  const none = resent === 0 && finishedAt;
  return (
    <Text size="sm" mt="sm" role="status">
      {none ? t("Nothing had failed since {start}.", { start }) : count} {!finishedAt && t("It goes on …")}
    </Text>
  );
}

const SIGNS = {
  question: t("How long the old one goes on signing"),
  until: (when: string) => t("Until {when} every call is signed with both.", { when }),
  over: t("The one before does not sign any more."),
};

/** Anew, where it leaked or its time has come; the backend has as long to take it over as both of them sign. */
function SigningSecret({ one, renewed }: Shown) {
  const may = useMay("webhooks:manage");
  const rotate = async (overlapSeconds: number) => {
    const { secret, previousSecretUntil } = await answered(api.POST("/api/v1/webhook-endpoints/{endpoint_id}/rotate-secret", { ...path(one.id), body: { overlapSeconds } }));
    renewed();
    await again();
    return { secret: secret!, previousUntil: previousSecretUntil };
  };
  if (!may) return null;
  return (
    <RotatedSecret title={t("Signing secret")} text={t("Your backend tells by it that a call is ours, and unchanged.")} words={SIGNS} rotate={rotate}>
      <Facts
        facts={[
          [t("In use"), one.secret ? <code key="secret">{one.secret}</code> : t("cannot be read: make a new one")],
          ...(one.previousSecretUntil ? ([[t("The old one stops signing"), <When key="until" time={one.previousSecretUntil} />]] as [string, ReactNode][]) : []),
        ]}
      />
    </RotatedSecret>
  );
}

function Actions({ one }: { one: Endpoint }) {
  const may = useMay("webhooks:manage");
  const switching = useMutation({
    mutationFn: (status: "active" | "disabled") => answered(api.PUT("/api/v1/webhook-endpoints/{endpoint_id}", { ...path(one.id), body: { status } })),
    onSettled: again,
    onError: tellProblem,
  });
  if (!may) return null;
  const next = one.status === "active" ? "disabled" : "active";
  return (
    <>
      <Button variant="default" loading={switching.isPending} onClick={() => switching.mutate(next)}>
        {next === "active" ? t("Switch on") : t("Switch off")}
      </Button>
      <RemoveButton
        title={t("Delete the endpoint?")}
        text={t("It is not called any more, and its log goes with it.")}
        remove={() => answered(api.DELETE("/api/v1/webhook-endpoints/{endpoint_id}", path(one.id)))}
        list="/webhooks"
        name="webhooks"
      />
    </>
  );
}
