import { useQuery } from "@tanstack/react-query";
import { Badge } from "@/components/ui/Badge";
import { Chart } from "@/components/ui/Chart";
import { Facts } from "@/components/ui/Facts";
import { Listing } from "@/components/ui/Listing";
import { Section } from "@/components/ui/Page";
import { When } from "@/components/ui/When";
import { answered, api } from "@/lib/api";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { dayName } from "./days";

const LATEST = 5;

/** Calls of the project's own backend, and the last that were given up. */
export function Webhooks({ days }: { days: string[] }) {
  const may = useMay("webhooks:read");
  const [from, to] = [days[0]!, days.at(-1)!];
  const { data } = useQuery({
    queryKey: ["project", "usage", "daily", from, to],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/me/usage", { params: { query: { period: "daily", from, to } }, signal })),
  });
  const used = new Map(data?.items.map((item) => [item.start, item]));
  if (!data?.items.some(({ webhooksSent }) => webhooksSent > 0)) return null;
  return (
    <Section title={t("Webhooks to your backend")}>
      <Chart
        label={t("Webhooks by day")}
        series={[
          { name: t("Taken"), tone: "brand" },
          { name: t("Not taken"), tone: "bad" },
        ]}
        bars={days.map((day) => {
          const { webhooksSent = 0, webhooksSucceeded = 0 } = used.get(day) ?? {};
          return { name: dayName(day), values: [webhooksSucceeded, webhooksSent - webhooksSucceeded] };
        })}
      />
      {may && <GivenUp since={from} />}
    </Section>
  );
}

function GivenUp({ since }: { since: string }) {
  const { data, isPending, error, refetch } = useQuery({
    queryKey: ["webhooks", "failed", since],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/webhook-logs", { params: { query: { state: "failed", since: `${since}T00:00:00Z`, limit: LATEST } }, signal })),
  });
  if (!data?.items.length) return null;
  return (
    <div className="card-list" style={{ marginTop: 16 }}>
      <Listing
        label={t("Webhooks that were given up")}
        query={{ items: data.items, isPending, error, refetch }}
        to={({ endpointId }) => `/webhooks/${endpointId}`}
        empty={null}
        columns={[
          { name: t("Given up"), cell: ({ eventType }) => eventType },
          { name: t("State"), width: 110, cell: ({ state }) => <Badge state={state} /> },
          { name: t("Answer"), cell: ({ responseStatus, error: said }) => said ?? responseStatus ?? "–" },
          { name: t("When"), width: 120, cell: ({ createdAt }) => <When time={createdAt} /> },
        ]}
      />
    </div>
  );
}

/** Who listens at this moment. Where a process does not answer there is no number, rather than a wrong one. */
export function Sockets() {
  const may = useMay("realtime:read");
  const { data } = useQuery({
    queryKey: ["realtime", "stats"],
    enabled: may,
    retry: false,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/realtime/stats", { signal })),
  });
  if (!data) return null;
  return (
    <Section title={t("Live sockets now")}>
      <Facts
        facts={[
          [t("Connected"), data.sockets.toLocaleString()],
          [t("Channels"), data.channels.toLocaleString()],
          [t("Subscriptions"), data.subscriptions.toLocaleString()],
        ]}
      />
    </Section>
  );
}
