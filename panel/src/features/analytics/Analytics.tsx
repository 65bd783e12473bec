import { SegmentedControl, Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Chart } from "@/components/ui/Chart";
import { Figures } from "@/components/ui/Figures";
import { useFilters } from "@/components/ui/filters";
import { IconChart } from "@/components/ui/icons";
import { Loaded } from "@/components/ui/Loaded";
import { Page, Section } from "@/components/ui/Page";
import { Empty } from "@/components/ui/States";
import { answered, api } from "@/lib/api";
import { useMay } from "@/lib/session";
import { t, tn } from "@/lib/t";
import { Channels } from "./Channels";
import { Connections } from "./Connections";
import { duration, outcome, share, statesOf, type Stats } from "./counts";
import { dayName, hoursOf, lastDays } from "./days";
import { Sockets, Webhooks } from "./Outwards";

const RANGES = ["7", "14", "30"];
const BY_DEFAULT = "14";

export function Component() {
  const [filters, change] = useFilters(["days", "channel"]);
  const range = RANGES.includes(filters.days ?? "") ? filters.days! : BY_DEFAULT;
  const count = Number(range);
  const hours = hoursOf(count);
  const stats = useQuery({
    queryKey: ["notifications", "stats", hours],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/notifications/stats", { params: { query: { hours } }, signal })),
    placeholderData: (before) => before,
  });
  const mayConnections = useMay("connections:read");
  const mayUsage = useMay("project:read");
  return (
    <Page
      title={t("Analytics")}
      lead={t("What was sent, what failed, and how soon somebody took it. Days are those of UTC.")}
      actions={
        <SegmentedControl
          aria-label={t("Range")}
          value={range}
          onChange={(days) => change({ days: days === BY_DEFAULT ? null : days })}
          data={RANGES.map((value) => ({ value, label: t("{n} days", { n: value }) }))}
        />
      }
    >
      <Loaded query={stats} rows={8}>
        {(found) => <Sent stats={found} days={lastDays(count)} channel={filters.channel} choose={(channel) => change({ channel })} />}
      </Loaded>
      {mayConnections && <Connections days={count} />}
      {mayUsage && <Webhooks days={lastDays(count)} />}
      <Sockets />
    </Page>
  );
}

interface SentProps {
  stats: Stats;
  days: string[];
  channel: string | undefined;
  choose: (channel: string | null) => void;
}

function Sent({ stats, days, channel, choose }: SentProps) {
  const found = new Map(stats.days.map((day) => [day.date, day]));
  const shown = days.map((date) => ({ name: dayName(date), day: found.get(date) }));
  const all = outcome(stats.deliveries);
  const channels = Object.keys(stats.deliveriesByChannel).sort();
  if (!stats.days.length) {
    return (
      <Section>
        <Empty icon={IconChart} title={t("Nothing was sent in these days")}>
          {t("As soon as a rule makes notifications of events, what became of them is counted here.")}
        </Empty>
      </Section>
    );
  }
  const wait = stats.timeToAcknowledge;
  return (
    <>
      <Figures
        figures={[
          [t("Notifications"), stats.notifications, tn(stats.awaitingAcknowledgement, "1 waits for somebody", "{n} wait for somebody")],
          [t("Reached"), all.reached, t("{share} of what was decided", { share: share(all.reached, all.reached + all.failed) })],
          [t("Failed"), all.failed, t("{share} of what was decided", { share: share(all.failed, all.reached + all.failed) })],
          [t("Time to acknowledge"), wait ? duration(wait.medianSeconds) : "–", wait ? t("half were faster; 95 % within {p95}", { p95: duration(wait.p95Seconds) }) : t("nothing was acknowledged")],
        ]}
      />
      <Section
        title={t("Deliveries")}
        aside={
          <Select
            size="xs"
            w={150}
            aria-label={t("Channel")}
            placeholder={t("All channels")}
            clearable
            clearButtonProps={{ "aria-label": t("Clear") }}
            data={channels}
            value={channel ?? null}
            onChange={choose}
          />
        }
      >
        <Chart
          label={channel ? t("Deliveries by {channel}, by day", { channel }) : t("Deliveries by day")}
          series={[
            { name: t("Reached"), tone: "brand" },
            { name: t("Failed"), tone: "bad" },
            { name: t("Waiting"), tone: "quiet" },
          ]}
          bars={shown.map(({ name, day }) => {
            const { reached, failed, waiting } = outcome(statesOf(day, channel));
            return { name, values: [reached, failed, waiting] };
          })}
        />
      </Section>
      <div className="beside">
        <Section title={t("Acknowledged")}>
          <Chart
            label={t("Notifications by day, and how many were acknowledged")}
            series={[
              { name: t("Acknowledged"), tone: "ok" },
              { name: t("Not"), tone: "quiet" },
            ]}
            bars={shown.map(({ name, day }) => ({ name, values: [day?.acknowledged ?? 0, (day?.notifications ?? 0) - (day?.acknowledged ?? 0)] }))}
          />
        </Section>
        <Section title={t("Time to acknowledge")}>
          <Chart
            label={t("Median time to acknowledge, by day")}
            series={[{ name: t("Half within"), tone: "ok" }]}
            bars={shown.map(({ name, day }) => ({ name, values: [day?.timeToAcknowledge?.medianSeconds ?? 0] }))}
            format={duration}
            noTotal
          />
        </Section>
      </div>
      <Channels stats={stats} days={days} choose={choose} />
    </>
  );
}
