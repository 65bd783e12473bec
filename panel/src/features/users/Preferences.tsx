import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useLocation } from "react-router";
import { Facts } from "@/components/ui/Facts";
import { Section } from "@/components/ui/Page";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { answered, api, type Schemas } from "@/lib/api";
import { t } from "@/lib/t";

type Preferences = Schemas["PreferencesAnswer"];

/** What the person chose, as far as it decides whether something reaches them. They change it themselves. */
export function Preferences({ id }: { id: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: ["users", "preferences", id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/users/{user_id}/preferences", { params: { path: { user_id: id } }, signal })),
  });
  const place = useRef<HTMLDivElement>(null);
  const { hash } = useLocation();
  const ready = data !== undefined;
  useEffect(() => {
    if (ready && hash === "#preferences") place.current?.scrollIntoView({ block: "center" });
  }, [ready, hash]);
  return (
    <Section title={t("Preferences")}>
      <div ref={place}>
        {data ? <Facts facts={facts(data)} /> : error ? <Failed error={error} retry={refetch} /> : <RowSkeletons count={1} />}
      </div>
    </Section>
  );
}

function facts({ quietHours, channels, topics, dailySummary }: Preferences): [string, string][] {
  const off = Object.entries(channels ?? {}).filter(([, on]) => !on);
  const wishes = Object.entries(topics ?? {});
  return [
    [t("Quiet hours"), quietHours ? [`${quietHours.from}–${quietHours.to}`, ...(quietHours.days ?? []), ...(quietHours.channels ?? [])].join(" ") : t("none")],
    [t("Channels off"), off.map(([name]) => name).join(", ") || t("none")],
    [t("Topics muted"), wishes.filter(([, wish]) => wish.muted).map(([name]) => name).join(", ") || t("none")],
    [t("Topics subscribed to"), wishes.filter(([, wish]) => wish.subscribed && !wish.muted).map(([name]) => name).join(", ") || t("none")],
    [t("Daily summary"), dailySummary?.enabled ? (dailySummary.time ?? t("on")) : t("off")],
  ];
}
