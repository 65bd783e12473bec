import { Alert, Anchor, Text } from "@mantine/core";
import { Link, useInRouterContext } from "react-router";
import { base } from "@/lib/place";
import type { Lack } from "@/lib/plan";
import type { Problem, UsedUp } from "@/lib/problem";
import { amount, quotaName } from "@/lib/quota";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { IconGauge } from "./icons";

/** Whether it is the plan that refuses: nothing is wrong, and trying again changes nothing. */
export const ofPlan = ({ usedUp, code }: Problem): boolean => usedUp !== null || code === "feature_not_in_plan";

/** What the plan has no more of, when it comes back or how there is room again, and where all of it stands. */
export function NoRoom({ problem }: { problem: Problem }) {
  return (
    <Alert color="yellow" icon={<IconGauge aria-hidden />} className="notice" role="alert" title={titleOf(problem)}>
      <WayOut problem={problem} />
    </Alert>
  );
}

/** In the place of what the plan does not have: which one has it. */
export function Lacking({ lack: { plan } }: { lack: Lack }) {
  return (
    <Alert color="gray" mb="md" icon={<IconGauge aria-hidden />} className="notice" role="note" title={t("Not in this plan")}>
      <Text size="sm">
        {plan ? t("The plan “{plan}” has it. Whoever runs this installation can move the project to it.", { plan }) : t("No plan of this installation has it.")} <ToThePlan />
      </Text>
    </Alert>
  );
}

export function WayOut({ problem }: { problem: Problem }) {
  return (
    <>
      <Text size="sm">{sentence(problem)}</Text>
      <Text size="sm" mt={4}>
        {t("Whoever runs this installation can move the project to a larger plan.")} <ToThePlan />
      </Text>
    </>
  );
}

export const titleOf = ({ usedUp }: Problem): string => (usedUp ? t("Used up: {names}", { names: quotaName(usedUp.quota) }) : t("Not in this plan"));

const sentence = ({ usedUp, message }: Problem): string => (usedUp ? again(usedUp) ?? message : message);

function again({ quota, limit, resetsAt }: UsedUp): string | null {
  if (resetsAt) return t("Nothing of it is left. It begins anew on {moment}.", { moment: dayAndHour(resetsAt) });
  if (limit === undefined) return null;
  if (quota === "storageBytes") return t("The plan keeps {limit} of files, and this would be more. Deleting something makes room.", { limit: amount(quota, limit) });
  if (limit === 0) return t("The plan has none.");
  return t("The plan allows {limit}, and there are as many. Deleting one makes room.", { limit: amount(quota, limit) });
}

const dayAndHour = (time: string): string =>
  new Date(time).toLocaleString(undefined, { day: "numeric", month: "long", hour: "2-digit", minute: "2-digit", timeZoneName: "short" });

/** What is told in a corner stands outside of the pages, where only a plain link leads anywhere. */
function ToThePlan() {
  const may = useMay("project:read");
  const isInside = useInRouterContext();
  if (!may) return null;
  return isInside ? (
    <Anchor component={Link} to="/usage" size="sm" underline="always">
      {t("Plan and usage")}
    </Anchor>
  ) : (
    <Anchor href={`${base}/usage`} size="sm" underline="always">
      {t("Plan and usage")}
    </Anchor>
  );
}
