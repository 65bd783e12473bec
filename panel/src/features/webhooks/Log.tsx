import { Button, Drawer, Group, Select, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Attempt } from "@/components/ui/Attempt";
import { Badge } from "@/components/ui/Badge";
import { Json } from "@/components/ui/Code";
import { useFilters } from "@/components/ui/filters";
import { IconRefresh, IconWebhook } from "@/components/ui/icons";
import { Listing } from "@/components/ui/Listing";
import { Section } from "@/components/ui/Page";
import { Empty, Failed, RowSkeletons } from "@/components/ui/States";
import { tell, tellProblem } from "@/components/ui/told";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { useLong } from "@/lib/long";
import { queries } from "@/lib/queries";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";

const LOOK_AGAIN_MS = 1_000;
const LOOK_THROUGH_MS = 3_000;

type Entry = Schemas["WebhookLogAnswer"];

/** Nobody announces an attempt, so what is under way is looked at until it is over. */
const isUnderWay = ({ state }: { state: Entry["state"] }): boolean => state === "queued";

/** Every call to an endpoint; one of them opens beside the list. */
export function Log({ endpointId }: { endpointId: string }) {
  const [filters, change] = useFilters(["state", "call"]);
  const list = useLong(["webhooks", "log", endpointId, filters.state], (cursor, signal) =>
    answered(
      api.GET("/api/v1/webhook-logs", {
        params: { query: { endpointId, state: filters.state as Entry["state"] | undefined, cursor } },
        signal,
      }),
    ),
    { refetchInterval: ({ state }) => (state.data?.pages.some(({ items }) => items.some(isUnderWay)) ? LOOK_THROUGH_MS : false) },
  );
  return (
    <Section
      title={t("Calls")}
      aside={
        <Select
          size="xs"
          w={150}
          placeholder={t("Any state")}
          aria-label={t("State")}
          clearable
          clearButtonProps={{ "aria-label": t("Clear") }}
          value={filters.state ?? null}
          onChange={(state) => change({ state })}
          data={["queued", "delivered", "failed", "captured"]}
        />
      }
    >
      <Listing
        label={t("Calls")}
        query={list}
        to={(entry) => `?call=${entry.id}`}
        empty={
          <Empty icon={IconWebhook} title={t("No calls yet")}>
            {t("Test it above, or wait until something happens.")}
          </Empty>
        }
        columns={[
          { name: t("Event"), cell: (entry) => entry.eventType },
          { name: t("State"), width: 120, cell: (entry) => <Badge state={entry.state} /> },
          { name: t("Answer"), cell: (entry) => (entry.responseStatus ?? entry.error) ? <span className="named">{entry.responseStatus ?? entry.error}</span> : <span className="dimmed">–</span> },
          { name: t("Attempts"), width: 90, cell: (entry) => <span className="named">{entry.attemptNumber}</span> },
          { name: t("When"), width: 130, cell: (entry) => <When time={entry.createdAt} /> },
        ]}
      />
      <Drawer opened={Boolean(filters.call)} onClose={() => change({ call: null })} position="right" size="lg" title={t("Call")}>
        {filters.call && <OneCall id={filters.call} />}
      </Drawer>
    </Section>
  );
}

function OneCall({ id }: { id: string }) {
  const may = useMay("webhooks:manage");
  const path = { params: { path: { log_id: id } } };
  const { data, error, refetch } = useQuery({
    queryKey: ["webhooks", "call", id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/webhook-logs/{log_id}", { ...path, signal })),
    refetchInterval: ({ state }) => (state.data && !state.data.finishedAt ? LOOK_AGAIN_MS : false),
  });
  const replaying = useMutation({
    mutationFn: () => answered(api.POST("/api/v1/webhook-logs/{log_id}/replay", path)),
    onSuccess: () => tell(t("It is sent once more.")),
    onSettled: () => queries.invalidateQueries({ queryKey: ["webhooks"] }),
    onError: tellProblem,
  });
  if (error) return <Failed error={error} retry={refetch} />;
  if (!data) return <RowSkeletons count={3} />;
  return (
    <>
      <Group mb="md" gap="xs">
        <Badge state={data.state} />
        <Text size="sm" fw={600}>
          {data.eventType}
        </Text>
        {may && (
          <Button size="compact-sm" variant="default" ml="auto" leftSection={<IconRefresh size={14} aria-hidden />} loading={replaying.isPending} onClick={() => replaying.mutate()}>
            {t("Send again")}
          </Button>
        )}
      </Group>
      {data.nextAttemptAt && (
        <Text size="sm" c="dimmed" mb="sm">
          {t("next attempt")} <When time={data.nextAttemptAt} />
        </Text>
      )}
      {data.attempts.map((attempt) => (
        <Attempt key={attempt.number} {...attempt} outcome={attempt.success ? "ok" : "failed"} status={attempt.responseStatus} answer={attempt.responseBody} />
      ))}
      {data.payload && (
        <>
          <Text size="sm" fw={600} mt="lg" mb="xs">
            {t("What was sent")}
          </Text>
          <Json value={data.payload} label={t("What was sent")} />
        </>
      )}
    </>
  );
}
