import { Anchor, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { Attempt } from "@/components/ui/Attempt";
import { Badge } from "@/components/ui/Badge";
import { Id } from "@/components/ui/Code";
import { Facts } from "@/components/ui/Facts";
import { Page, Section } from "@/components/ui/Page";
import { Reason } from "@/components/ui/Reason";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { useMay } from "@/lib/session";
import { t, tn } from "@/lib/t";
import { exact } from "@/lib/when";
import { PersonName } from "../users/PersonName";
import { AckButton, standing } from "./Acknowledge";
import { RetryButton } from "./RetryButton";

type Notification = Schemas["NotificationAnswer"];
type Delivery = Schemas["DeliveryAnswer"];

export function Component() {
  const { id = "" } = useParams();
  const { data, error, refetch } = useQuery({
    queryKey: ["notifications", "one", id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/notifications/{notification_id}", { params: { path: { notification_id: id } }, signal })),
  });
  return (
    <Page title={data?.title ?? t("Notification")} lead={<Id value={id} />} back={{ to: "/notifications", label: t("Notifications") }} actions={data && <AckButton one={data} size="sm" />}>
      {error ? <Failed error={error} retry={refetch} /> : data ? <Whole one={data} /> : <RowSkeletons />}
    </Page>
  );
}

function Whole({ one }: { one: Notification }) {
  const mayReadAll = useMay("notifications:read");
  const mayReadEvents = useMay("events:read");
  const mayReadRules = useMay("rules:read");
  return (
    <>
      <Section>
        {one.message && (
          <Text mb="md" style={{ whiteSpace: "pre-wrap" }}>
            {one.message}
          </Text>
        )}
        <Facts
          facts={[
            [t("Standing"), <Badge key="standing" state={standing(one)} />],
            [t("Priority"), <Badge key="priority" state={one.priority} />],
            [t("Made"), <When key="made" time={one.createdAt} />],
            [t("Of event"), one.eventId && mayReadEvents ? <Anchor key="event" component={Link} to={`/events/${one.eventId}`} size="sm">{one.eventType}</Anchor> : (one.eventType ?? "–")],
            [t("By rule"), one.ruleId && mayReadRules ? <RuleName key="rule" id={one.ruleId} version={one.ruleVersion ?? 1} /> : "–"],
            [t("Recipients"), tn(one.recipientsTotal, "1 person", "{n} people")],
          ]}
        />
      </Section>
      {one.acknowledgedBy.length > 0 && (
        <Section title={t("Acknowledged")}>
          {one.acknowledgedBy.map((by) => (
            <Text key={by.at} size="sm">
              {by.name ?? (by.userId ? <PersonName id={by.userId} /> : t("an API key"))} · {by.via} · {exact(by.at)}
            </Text>
          ))}
        </Section>
      )}
      {mayReadAll && <Deliveries notificationId={one.id} />}
    </>
  );
}

function RuleName({ id, version }: { id: string; version: number }) {
  const { data } = useQuery({
    queryKey: ["rules", "one", id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/rules/{rule_id}", { params: { path: { rule_id: id } }, signal })),
  });
  return (
    <>
      <Anchor component={Link} to={`/rules/${id}`} size="sm">
        {data?.name ?? t("The rule")}
      </Anchor>{" "}
      <span className="dimmed">{t("version {n}", { n: version })}</span>
    </>
  );
}

function Deliveries({ notificationId }: { notificationId: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: ["notifications", "deliveries", notificationId],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/deliveries", { params: { query: { notificationId, limit: 100 } }, signal })),
  });
  return (
    <Section title={t("Deliveries")}>
      {error ? <Failed error={error} retry={refetch} /> : data ? data.items.map((delivery) => <OneDelivery key={delivery.id} delivery={delivery} />) : <RowSkeletons count={2} />}
      {data?.items.length === 0 && <Text size="sm" c="dimmed">{t("None: it was made for nobody's channels.")}</Text>}
    </Section>
  );
}

function OneDelivery({ delivery }: { delivery: Delivery }) {
  return (
    <div className="rule-story">
      <header>
        <span className="chip">{delivery.channel}</span>
        <Badge state={delivery.state} />
        <Text size="sm">{delivery.userId ? <PersonName id={delivery.userId} /> : t("the project")}</Text>
        {delivery.address && <code>{delivery.address}</code>}
        {delivery.dueAt && <Text size="xs" c="dimmed">{t("next attempt")} <When time={delivery.dueAt} /></Text>}
        <RetryButton delivery={delivery} />
        {delivery.lastError && <Reason words={delivery.lastError} />}
      </header>
      {delivery.attempts.map((attempt) => (
        <div key={attempt.number} className="delivery">
          <Attempt {...attempt} />
        </div>
      ))}
    </div>
  );
}
