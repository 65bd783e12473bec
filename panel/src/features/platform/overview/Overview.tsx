import { Anchor, SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { useFilters } from "@/components/ui/filters";
import { Page, Section } from "@/components/ui/Page";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { answered, api, type Schemas } from "@/lib/api";
import { t, tn } from "@/lib/t";
import { percent, seconds } from "../words";
import { Installation } from "./Installation";
import { Matters } from "./Matters";

type Metrics = Schemas["Metrics"];

const EVERY_MS = 15_000;
const HOURS = [
  { value: "1", label: t("Hour") },
  { value: "24", label: t("Day") },
  { value: "168", label: t("Week") },
];

export function Component() {
  const [filters, change] = useFilters(["hours"]);
  const hours = Number(filters.hours ?? 24);
  const { data, error, refetch } = useQuery({
    queryKey: ["metrics", hours],
    refetchInterval: EVERY_MS,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/platform/metrics", { params: { query: { hours } }, signal })),
  });
  const choose = <SegmentedControl size="xs" aria-label={t("How far back")} data={HOURS} value={String(hours)} onChange={(value) => change({ hours: value === "24" ? null : value })} />;
  return (
    <Page title={t("Overview")} lead={t("All projects, their live side alone.")} actions={choose}>
      {error && !data ? <Failed error={error} retry={refetch} /> : data ? <Figures metrics={data} /> : <RowSkeletons count={2} />}
      <div className="side-by-side">
        <div>
          <Matters metrics={data} />
          {data && <Busiest metrics={data} />}
        </div>
        <div>
          <Installation />
          {data && <Became metrics={data} />}
        </div>
      </div>
    </Page>
  );
}

const sum = (counts: Record<string, number>) => Object.values(counts).reduce((all, one) => all + one, 0);

function Figures({ metrics: { events, deliveries, projectsByStatus } }: { metrics: Metrics }) {
  const { active = 0, trial = 0, suspended = 0, cancelled = 0 } = projectsByStatus;
  const halted = suspended + cancelled;
  const waiting = events.byOutcome["waiting"] ?? 0;
  const failed = deliveries.byState["failed"] ?? 0;
  const latency = deliveries.latencySeconds;
  return (
    <div className="figures">
      <Figure name={t("Projects")} number={(active + trial).toLocaleString()}>
        {tn(trial, "1 on trial", "{n} on trial")} · {tn(halted, "1 halted", "{n} halted")}
      </Figure>
      <Figure name={t("Events")} number={sum(events.byOutcome).toLocaleString()}>
        {waiting ? tn(waiting, "1 waits for its rules", "{n} wait for their rules") : t("none waits")}
      </Figure>
      <Figure name={t("Deliveries that arrived")} number={percent(deliveries.deliveryRate)}>
        {tn(failed, "1 failed", "{n} failed")}
      </Figure>
      <Figure name={t("Until it is sent")} number={seconds(latency["p50"])}>
        {latency["p95"] == null ? t("nothing was sent outside of sockets") : t("19 of 20 within {time}", { time: seconds(latency["p95"]) })}
      </Figure>
    </div>
  );
}

function Figure({ name, number, children }: { name: string; number: string; children: ReactNode }) {
  return (
    <div className="figure">
      <div className="figure-name">{name}</div>
      <div className="figure-number">{number}</div>
      <div className="figure-note">{children}</div>
    </div>
  );
}

const SHOWN = 8;

function Busiest({ metrics }: { metrics: Metrics }) {
  const busiest = metrics.events.byProject.slice(0, SHOWN);
  return (
    <Section title={t("Busiest projects")}>
      {busiest.length === 0 && <span className="dimmed">{t("No project had an event.")}</span>}
      {busiest.map(({ projectId, slug, events }) => (
        <div key={projectId} className="meter">
          <Anchor component={Link} to={`/projects/${projectId}`} size="sm">{slug}</Anchor>
          <span>{events.toLocaleString()}</span>
          <span className="meter-bar" style={{ width: `${(100 * events) / busiest[0]!.events}%` }} />
        </div>
      ))}
    </Section>
  );
}

function Became({ metrics }: { metrics: Metrics }) {
  const states = Object.entries(metrics.deliveries.byState).sort(([, one], [, other]) => other - one);
  return (
    <Section title={t("What became of deliveries")}>
      {states.length === 0 && <span className="dimmed">{t("There were none.")}</span>}
      {states.map(([state, count]) => (
        <div key={state} className="meter">
          <Badge state={state} />
          <span>{count.toLocaleString()}</span>
          <span className="meter-bar" style={{ width: `${(100 * count) / states[0]![1]}%` }} />
        </div>
      ))}
    </Section>
  );
}
