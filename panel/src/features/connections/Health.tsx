import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Badge } from "@/components/ui/Badge";
import { Section } from "@/components/ui/Page";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { When } from "@/components/ui/When";
import { answered, api } from "@/lib/api";
import { t } from "@/lib/t";
import { milliseconds } from "@/lib/when";

/** Whether the provider still takes what this connection sends with, as it was last asked. */
export function Health({ id }: { id: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: ["connections", "health", id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/connections/{connection_id}/health", { params: { path: { connection_id: id } }, signal })),
  });
  return (
    <Section title={t("Health")} aside={data && <Badge state={data.healthStatus} />}>
      {error && <Failed error={error} retry={refetch} />}
      {!data && !error && <RowSkeletons count={2} />}
      {data?.nextCheckAt && (
        <Text size="sm" c="dimmed">
          {t("Next check")} <When time={data.nextCheckAt} />
        </Text>
      )}
      {data?.checks.items.length === 0 && (
        <Text size="sm" c="dimmed">
          {t("No regular check yet. Verified connections are checked by themselves.")}
        </Text>
      )}
      {data?.checks.items.map((check) => (
        <div key={check.id} className="attempt">
          <Badge state={check.outcome} />
          <span>{check.error ?? (check.status ? String(check.status) : t("It answered."))}</span>
          <span className="dimmed">
            {milliseconds(check.durationMs)} · <When time={check.checkedAt} />
          </span>
        </div>
      ))}
    </Section>
  );
}
