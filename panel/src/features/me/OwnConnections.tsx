import { Button, Group, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { nameOf } from "@/components/ui/channels";
import { confirm } from "@/components/ui/confirm";
import { Facts } from "@/components/ui/Facts";
import { IconTelegram } from "@/components/ui/icons";
import { Section } from "@/components/ui/Page";
import { Empty, Failed, RowSkeletons } from "@/components/ui/States";
import { tellProblem } from "@/components/ui/told";
import { When } from "@/components/ui/When";
import { answered, api } from "@/lib/api";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";
import type { Connection } from "../connections/setup";
import { useMe } from "./me";

const WEEK_DAYS = 7;

/** One's own bot, and whatever else one has connected: it sends to its owner alone. */
export function OwnConnections() {
  const { id } = useMe();
  const { data, error, refetch } = useQuery({
    queryKey: ["connections", "own", id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/connections", { params: { query: { owner: "user", userId: id, limit: 20 } }, signal })),
  });
  const bot = data?.items.some((one) => one.provider === "telegram");
  const add = (
    <Button component={Link} to="/me/telegram" size={data?.items.length ? "xs" : "sm"} variant={data?.items.length ? "default" : "filled"} leftSection={<IconTelegram size={16} aria-hidden />}>
      {t("Set up my bot")}
    </Button>
  );
  return (
    <Section title={t("My own bot")} aside={data && data.items.length > 0 && !bot && add} flush>
      {error && <Failed error={error} retry={refetch} />}
      {!data && !error && <RowSkeletons count={1} />}
      {data?.items.length === 0 && (
        <Empty icon={IconTelegram} title={t("No bot of your own")} action={add}>
          {t("A Telegram bot that writes to you alone, under your name. Until there is one, the project's bot does it.")}
        </Empty>
      )}
      {data?.items.map((one) => (
        <OwnConnection key={one.id} one={one} />
      ))}
    </Section>
  );
}

function OwnConnection({ one }: { one: Connection }) {
  const { data: sent } = useQuery({
    queryKey: ["connections", "stats", one.id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/connections/{connection_id}/stats", { params: { path: { connection_id: one.id }, query: { days: WEEK_DAYS } }, signal })),
  });
  const account = one.account?.name;
  return (
    <div className="line">
      <div className="line-main">
        <strong>{typeof account === "string" ? account : one.name}</strong>
        <small>{nameOf(one.channel)}</small>
      </div>
      <Badge state={one.status} />
      {one.statusReason && (
        <Text size="sm" className="line-more">
          {one.statusReason}
        </Text>
      )}
      <div className="line-more">
        <Facts
          facts={[
            [t("Health"), <Badge key="health" state={one.healthStatus} />],
            [t("Checked"), <When key="checked" time={one.lastHealthCheck} never={t("not yet")} />],
            [t("At most"), limits(one)],
            [t("In 7 days"), sent ? t("{sent} sent, {failed} failed", { sent: sent.sent.toLocaleString(), failed: sent.failed.toLocaleString() }) : "–"],
          ]}
        />
      </div>
      <Actions one={one} />
    </div>
  );
}

function limits({ limits: { requestsPerSecond, maxConcurrent } }: Connection): string {
  const said = [requestsPerSecond && t("{n} a second", { n: requestsPerSecond }), maxConcurrent && t("{n} at once", { n: maxConcurrent })].filter(Boolean);
  return said.length ? said.join(", ") : t("as the provider allows");
}

function Actions({ one }: { one: Connection }) {
  const removing = useMutation({
    mutationFn: () => answered(api.DELETE("/api/v1/connections/{connection_id}", { params: { path: { connection_id: one.id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["connections"] }),
    onError: tellProblem,
  });
  const ask = () => confirm({ title: t("Remove {name}?", { name: one.name }), text: t("Its token is destroyed here. The project's bot writes to you from then on, if there is one."), yes: t("Remove"), act: () => removing.mutate() });
  return (
    <Group gap="xs" className="line-more">
      {one.provider === "telegram" && (
        <Button component={Link} to={`/me/telegram/${one.id}`} size="xs" variant="default">
          {t("Set-up and test")}
        </Button>
      )}
      {one.status !== "suspended" && (
        <Button size="xs" variant="subtle" color="gray" onClick={ask} loading={removing.isPending}>
          {t("Remove")}
        </Button>
      )}
    </Group>
  );
}
