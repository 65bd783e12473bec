import type { ReactNode } from "react";
import { Badge } from "@/components/ui/Badge";
import { type Column, Listing } from "@/components/ui/Listing";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { useLong } from "@/lib/long";
import { t } from "@/lib/t";

type Event = Schemas["EventSummary"];

export interface EventFilter {
  type?: string;
  status?: Event["status"];
}

const LOOK_AGAIN_MS = 4_000;

const COLUMNS: Column<Event>[] = [
  { name: t("Type"), cell: (event) => event.type },
  { name: t("Outcome"), width: 160, cell: (event) => <Badge state={event.outcome ?? event.status} /> },
  { name: t("Own id"), cell: (event) => event.clientEventId ? <code>{event.clientEventId}</code> : <span className="dimmed">–</span> },
  { name: t("Received"), width: 150, cell: (event) => <When time={event.receivedAt} /> },
];
const link = (event: Event) => `/events/${event.id}`;

/** Events are not told of by themselves, unless a rule made something of them, so the list looks again. */
export function useEvents(filter: EventFilter, limit = 50) {
  return useLong(
    ["events", filter, limit],
    (cursor, signal) =>
      answered(api.GET("/api/v1/events", { params: { query: { ...filter, limit, cursor } }, signal })),
    { refetchInterval: LOOK_AGAIN_MS },
  );
}

export function EventRows({ query, empty }: { query: Parameters<typeof Listing<Event>>[0]["query"]; empty: ReactNode }) {
  return (
    <Listing
      label={t("Events")}
      query={query}
      empty={empty}
      to={link}
      columns={COLUMNS}
    />
  );
}
