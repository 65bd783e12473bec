import { Anchor } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { IconCheck } from "@/components/ui/icons";
import { Section } from "@/components/ui/Page";
import { answered, api, type Schemas } from "@/lib/api";
import { useMay } from "@/lib/session";
import { t, tn } from "@/lib/t";
import { counted } from "../words";
import { useHealth } from "./health";

interface Matter {
  state: string;
  text: string;
  to?: string;
}

const EVERY_MS = 30_000;
const LOOKED_AT = 100;

/** What is overdue or broken, each with the place where something can be done about it. */
export function Matters({ metrics }: { metrics?: Schemas["Metrics"] }) {
  const { data: health } = useHealth();
  const connections = useBroken();
  const visits = useOpenVisits();
  const { suspended = 0, cancelled = 0 } = metrics?.projectsByStatus ?? {};
  const waiting = metrics?.events.byOutcome["waiting"] ?? 0;
  const queued = metrics?.deliveries.byState["queued"] ?? 0;
  const matters: (Matter | false | undefined)[] = [
    health && !health.ready && { state: "failing", text: t("This process cannot take work: {why}.", { why: health.words }) },
    connections > 0 && { state: "error", text: tn(connections, "1 connection cannot send", "{n} connections cannot send", { n: counted(connections, LOOKED_AT) }), to: "/connections?status=error" },
    waiting > 0 && { state: "queued", text: tn(waiting, "1 event waits for its rules", "{n} events wait for their rules") },
    queued > 0 && { state: "queued", text: tn(queued, "1 delivery waits to be sent", "{n} deliveries wait to be sent") },
    suspended > 0 && { state: "suspended", text: tn(suspended, "1 project is suspended", "{n} projects are suspended"), to: "/projects?status=suspended" },
    cancelled > 0 && { state: "cancelled", text: tn(cancelled, "1 project will be removed for good", "{n} projects will be removed for good"), to: "/projects?status=cancelled" },
    visits > 0 && { state: "active", text: tn(visits, "1 visit is open", "{n} visits are open", { n: counted(visits, LOOKED_AT) }), to: "/visits" },
  ];
  const open = matters.filter((each): each is Matter => Boolean(each));
  return (
    <Section title={t("Needs a look")}>
      <div className="matters">
        {open.map(({ state, text, to }) => (
          <div key={text} className="matter">
            <Badge state={state} />
            <span>{text}</span>
            {to && <Anchor component={Link} to={to} size="sm">{t("See")}</Anchor>}
          </div>
        ))}
        {metrics && open.length === 0 && (
          <div className="tick" data-done="true">
            <IconCheck size={18} aria-hidden /> {t("Nothing waits, nothing is broken.")}
          </div>
        )}
      </div>
    </Section>
  );
}

function useBroken(): number {
  const may = useMay("platform:connections");
  const { data } = useQuery({
    queryKey: ["connections", "broken"],
    enabled: may,
    refetchInterval: EVERY_MS,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/platform/connections", { params: { query: { status: "error", limit: LOOKED_AT } }, signal })),
  });
  return data?.items.length ?? 0;
}

function useOpenVisits(): number {
  const may = useMay("platform:enter");
  const { data } = useQuery({
    queryKey: ["visits", "open"],
    enabled: may,
    refetchInterval: EVERY_MS,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/platform/visits", { params: { query: { limit: LOOKED_AT } }, signal })),
  });
  return data?.items.filter(({ endedAt, expiresAt }) => !endedAt && new Date(expiresAt).getTime() > Date.now()).length ?? 0;
}
