import { Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { answered, api, type Schemas } from "@/lib/api";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { exact } from "@/lib/when";

type Event = Schemas["EventSummary"];

const LATEST = 30;

/** The latest events, where one may see them. */
export function usePastEvents(): { events: Event[]; waiting: boolean } {
  const may = useMay("events:read");
  const { data, isLoading } = useQuery({
    queryKey: ["events", "past"],
    enabled: may,
    staleTime: 30_000,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/events", { params: { query: { limit: LATEST } }, signal })),
  });
  return { events: data?.items ?? [], waiting: isLoading };
}

interface Props {
  label: string;
  events: Event[];
  value: string | null;
  change: (id: string | null) => void;
}

export function EventPicker({ label, events, value, change }: Props) {
  const data = events.map((event) => ({ value: event.id, label: `${event.type} · ${exact(event.receivedAt)}` }));
  return <Select label={label} placeholder={t("Choose one of the latest")} searchable allowDeselect={false} data={data} value={value} onChange={change} />;
}
