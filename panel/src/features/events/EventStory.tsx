import { Anchor, Button, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { Id, Json } from "@/components/ui/Code";
import { Facts } from "@/components/ui/Facts";
import { Page, Section } from "@/components/ui/Page";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { useMay } from "@/lib/session";
import { t, tn } from "@/lib/t";
import { exact, milliseconds } from "@/lib/when";
import { Explain } from "./Explain";
import { isUnderWay } from "./progress";
import { RuleOutcome } from "./RuleOutcome";

type Story = Schemas["EventStory"];

const LOOK_AGAIN_MS = 1_000;

export function Component() {
  const { id = "" } = useParams();
  const maySend = useMay("events:write");
  const { data, error, refetch } = useQuery({
    queryKey: ["events", id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/events/{event_id}", { params: { path: { event_id: id } }, signal })),
    refetchInterval: ({ state }) => (state.data && isUnderWay(state.data) ? LOOK_AGAIN_MS : false),
  });
  const again = data && `/events/send?type=${encodeURIComponent(data.type)}`;
  return (
    <Page
      title={data?.type ?? t("Event")}
      lead={<Id value={id} />}
      back={{ to: "/events", label: t("Events") }}
      actions={
        maySend && again && (
          <Button component={Link} to={again} variant="default">
            {t("Send one like it")}
          </Button>
        )
      }
    >
      {error ? <Failed error={error} retry={refetch} /> : data ? <Whole story={data} /> : <RowSkeletons />}
    </Page>
  );
}

function Whole({ story }: { story: Story }) {
  return (
    <>
      <Section>
        <Facts
          facts={[
            [t("Outcome"), <Badge key="outcome" state={story.outcome ?? story.status} />],
            [t("Received"), <When key="received" time={story.receivedAt} />],
            [t("Took"), took(story)],
            [t("Source"), story.source ?? "–"],
            [t("Own id"), story.clientEventId ?? "–"],
          ]}
        />
      </Section>
      <Section title={t("What became of it")}>
        <ol className="story">
          <li data-tone="ok">
            <Text size="sm" fw={550}>
              {t("Received and stored")}
            </Text>
            <Text size="xs" c="dimmed">
              {exact(story.receivedAt)}
            </Text>
          </li>
          <li data-tone={story.processedAt ? "ok" : "busy"}>
            <Text size="sm" fw={550}>
              {story.processedAt
                ? tn(story.trace.length, "1 rule considered", "{n} rules considered")
                : t("Rules are being considered …")}
            </Text>
            {story.processedAt && story.trace.length === 0 && <NoRule type={story.type} />}
            {story.trace.map((rule) => (
              <RuleOutcome key={rule.ruleId} rule={rule} />
            ))}
          </li>
        </ol>
      </Section>
      <Explain eventId={story.id} />
      <Section title={t("Payload")}>
        <Json value={story.payload} label={t("Payload")} />
      </Section>
    </>
  );
}

function NoRule({ type }: { type: string }) {
  const mayMake = useMay("rules:manage");
  return (
    <Text size="sm" c="dimmed">
      {t("No active rule listens to {type}.", { type })}{" "}
      {mayMake && (
        <Anchor component={Link} to={`/rules/new?type=${encodeURIComponent(type)}`} size="sm">
          {t("Make one")}
        </Anchor>
      )}
    </Text>
  );
}

function took({ receivedAt, processedAt }: Story): string {
  return processedAt ? milliseconds(new Date(processedAt).getTime() - new Date(receivedAt).getTime()) : "–";
}
