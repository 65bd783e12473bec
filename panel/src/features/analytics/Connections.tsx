import { Text } from "@mantine/core";
import { useQueries, useQuery } from "@tanstack/react-query";
import { Listing } from "@/components/ui/Listing";
import { Section } from "@/components/ui/Page";
import { answered, api } from "@/lib/api";
import { t, tn } from "@/lib/t";
import { milliseconds } from "@/lib/when";
import { share } from "./counts";

/** Each of them is asked by itself. */
const MOST = 20;

/** How the project's connections do: what they sent, how fast their providers answer, what went wrong last. */
export function Connections({ days }: { days: number }) {
  const list = useQuery({
    queryKey: ["connections", "first", MOST],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/connections", { params: { query: { limit: MOST } }, signal })),
  });
  const found = list.data?.items ?? [];
  const stats = useQueries({
    queries: found.map(({ id }) => ({
      queryKey: ["connections", "stats", id, days],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        answered(api.GET("/api/v1/connections/{connection_id}/stats", { params: { path: { connection_id: id }, query: { days } }, signal })),
    })),
  });
  if (!found.length) return null;
  const items = found.map((connection, place) => ({ ...connection, stats: stats[place]?.data }));
  return (
    <Section title={t("Connections")} aside={list.data?.nextCursor && <Text size="xs" c="dimmed">{t("The newest {n}", { n: MOST })}</Text>}>
      <Listing
        label={t("Connections")}
        query={{ items, isPending: false, error: null, refetch: list.refetch }}
        to={({ id }) => `/connections/${id}`}
        empty={null}
        columns={[
          { name: t("Name"), cell: ({ name }) => name },
          { name: t("Channel"), width: 110, cell: ({ channel }) => <span className="chip">{channel}</span> },
          { name: t("Sent"), width: 90, cell: ({ stats: its }) => (its ? tn(its.sent, "1 sent", "{n} sent") : "…") },
          { name: t("Failed"), width: 140, cell: ({ stats: its }) => (its ? t("{n} failed · {share}", { n: its.failed.toLocaleString(), share: share(its.failed, its.sent + its.failed) }) : "…") },
          { name: t("Answers within"), width: 130, cell: ({ stats: its }) => (its?.latency ? t("{p95} (95 %)", { p95: milliseconds(its.latency.p95Ms) }) : "–") },
          { name: t("Last error"), cell: ({ stats: its }) => its?.lastError?.error ?? <span className="dimmed">–</span> },
        ]}
      />
    </Section>
  );
}
