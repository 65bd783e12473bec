import { Progress, Text } from "@mantine/core";
import { Chart } from "@/components/ui/Chart";
import { Loaded } from "@/components/ui/Loaded";
import { Page, Section } from "@/components/ui/Page";
import type { Schemas } from "@/lib/api";
import { useEnv } from "@/lib/env";
import { amount, quotaName } from "@/lib/quota";
import { useSession } from "@/lib/session";
import { t } from "@/lib/t";
import { lastMonths, monthName } from "../analytics/days";
import { useMonths } from "@/lib/plan";
import { consequence, standing, type Quota } from "./quotas";
import { Spent } from "./Spent";

type Month = Schemas["UsageAnswer"];

const A_YEAR = 12;

export function Component() {
  const project = useSession((session) => session.me?.project);
  const { env } = useEnv();
  const usage = useMonths();
  return (
    <Page title={t("Plan and usage")} lead={project && usage.data && t("{project} is on the plan “{plan}”.", { project: project.name, plan: usage.data.planLabel })}>
      <Loaded query={usage} rows={8}>
        {({ quotas, items }) => (
          <>
            <Spent quotas={quotas}>{t("What that means stands below. Whoever runs this installation can move the project to a larger plan.")}</Spent>
            <Group title={env === "live" ? t("This month") : t("Today")} lead={env === "live" ? t("Months are those of UTC. At 80 and at 100 percent the billing contact gets a mail.") : t("Test counts towards nothing else.")} quotas={quotas.filter(({ resetsAt }) => resetsAt !== null)} />
            <Group title={t("In all")} lead={t("What there is at this moment. Deleting something makes room.")} quotas={quotas.filter(({ resetsAt }) => resetsAt === null)} />
            {items.some(({ eventsReceived, notificationsMade }) => eventsReceived + notificationsMade > 0) && (
              <div className="beside">
                <Months title={t("Events")} items={months(items).map(([start, item]) => [start, item?.eventsReceived ?? 0])} />
                <Months title={t("Notifications")} items={months(items).map(([start, item]) => [start, item?.notificationsMade ?? 0])} />
              </div>
            )}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Group({ title, lead, quotas }: { title: string; lead: string; quotas: Quota[] }) {
  if (!quotas.length) return null;
  return (
    <Section title={title}>
      <Text size="sm" c="dimmed" mb="sm">
        {lead}
      </Text>
      <div className="quotas">
        {quotas.map((quota) => (
          <Bar key={quota.quota} quota={quota} />
        ))}
      </div>
    </Section>
  );
}

/** A little that is used is seen, too. */
const filled = ({ used, percent }: Quota): number => Math.max(used > 0 ? 1 : 0, Math.min(100, percent ?? 0));

const COLOURS = { free: "brand", low: "yellow", spent: "red", absent: "gray" };

function Bar({ quota }: { quota: Quota }) {
  const { quota: name, used, limit, percent, overage, resetsAt } = quota;
  const state = standing(quota);
  return (
    <div className="quota">
      <div className="quota-head">
        <strong>{quotaName(name)}</strong>
        <span>{limit === null ? t("{used}, unlimited", { used: amount(name, used) }) : state === "absent" ? t("not in this plan") : t("{used} of {limit}", { used: amount(name, used), limit: amount(name, limit) })}</span>
      </div>
      {limit !== null && state !== "absent" && <Progress value={filled(quota)} color={COLOURS[state]} size="sm" aria-label={t("{name}: {percent} percent used", { name: quotaName(name), percent: percent ?? 0 })} />}
      <div className="quota-note">
        {overage > 0 && <span>{t("{n} over the limit.", { n: amount(name, overage) })} </span>}
        {limit !== null && <span>{state === "absent" ? t("A larger plan has it.") : consequence(name)} </span>}
        {resetsAt && <span>{t("Begins anew on {day}.", { day: new Date(resetsAt).toLocaleDateString(undefined, { day: "numeric", month: "long", timeZone: "UTC" }) })}</span>}
      </div>
    </div>
  );
}

/** The last twelve, those too in which nothing happened. */
function months(items: Month[]): [string, Month | undefined][] {
  return lastMonths(A_YEAR).map((start) => [start, items.find((item) => item.start === start)]);
}

function Months({ title, items }: { title: string; items: [string, number][] }) {
  return (
    <Section title={t("{title} by month", { title })}>
      <Chart label={t("{title} by month", { title })} series={[{ name: title, tone: "brand" }]} bars={items.map(([start, value]) => ({ name: monthName(start), values: [value] }))} />
    </Section>
  );
}
