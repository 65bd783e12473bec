import { Alert, Anchor, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearchParams } from "react-router";
import { Page, Section } from "@/components/ui/Page";
import { RemoveButton } from "@/components/ui/RemoveButton";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { useEnv } from "@/lib/env";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { draftOf, type EventType } from "./draft";
import { TypeForm } from "./TypeForm";

export type Event = Schemas["EventSummary"];

const LOOK_AT = 20;

export function Component() {
  const { id } = useParams();
  const [search] = useSearchParams();
  const [name, like] = [search.get("name"), search.get("like")];
  const known = useType(id ?? like);
  const { events, waiting } = useLatest(known.data?.name ?? name);
  const back = { to: "/event-types", label: t("Event types") };
  if (id) {
    return (
      <Page title={known.data?.name ?? t("Event type")} lead={known.data && <LastSeen type={known.data} />} back={back} actions={known.data && <Remove type={known.data} />}>
        {known.error ? <Failed error={known.error} retry={known.refetch} /> : known.data && !waiting ? <Known type={known.data} events={events} /> : <Section><RowSkeletons /></Section>}
      </Page>
    );
  }
  return (
    <Page title={t("Describe a type")} lead={t("Begin with what was sent, then say what has to be so.")} back={back}>
      {waiting || (like && known.isPending) ? <Section><RowSkeletons /></Section> : <TypeForm key={`${name}${like}`} draft={draftOf(known.data, name, events)} events={events} />}
    </Page>
  );
}

function useType(id: string | null) {
  return useQuery({
    queryKey: ["event-types", "one", id],
    enabled: id !== null,
    refetchOnWindowFocus: false,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/event-types/{event_type_id}", { params: { path: { event_type_id: id! } }, signal })),
  });
}

/** The latest events of a type, where one may see them. */
function useLatest(type: string | null): { events: Event[]; waiting: boolean } {
  const may = useMay("events:read");
  const { data, isLoading } = useQuery({
    queryKey: ["events", "of", type],
    enabled: may && type !== null,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/events", { params: { query: { type: type!, limit: LOOK_AT } }, signal })),
  });
  return { events: data?.items ?? [], waiting: isLoading };
}

/** The sandbox goes by the live types too, which are changed where they live. */
function Known({ type, events }: { type: EventType; events: Event[] }) {
  const { env } = useEnv();
  const foreign = type.env !== env;
  return (
    <>
      {foreign && (
        <Alert color="yellow" className="notice" mb="md" radius="lg">
          <Text size="sm">
            {t("This is the type of Live, which counts in Test too.")}{" "}
            <Anchor component={Link} to={`/event-types/new?like=${type.id}`} size="sm">
              {t("Try another schema in Test")}
            </Anchor>
          </Text>
        </Alert>
      )}
      <TypeForm key={type.updatedAt} draft={draftOf(type, null, events)} type={type} events={events} fixed={foreign} />
    </>
  );
}

function LastSeen({ type }: { type: EventType }) {
  return (
    <>
      {t("Last seen:")} <When time={type.lastSeenAt} never={t("never")} />
    </>
  );
}

function Remove({ type }: { type: EventType }) {
  const may = useMay("rules:manage");
  const { env } = useEnv();
  if (!may || type.env !== env) return null;
  return (
    <RemoveButton
      title={t("Forget {name}?", { name: type.name })}
      text={t("Its events go on as ever; nothing of them is checked any more.")}
      remove={() => answered(api.DELETE("/api/v1/event-types/{event_type_id}", { params: { path: { event_type_id: type.id } } }))}
      list="/event-types"
      name="event-types"
    />
  );
}
