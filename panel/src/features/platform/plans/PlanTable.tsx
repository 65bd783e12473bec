import { ActionIcon, Button, Group, Select } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { type ReactNode, useState } from "react";
import { IconCheck, IconPlus, IconSettings } from "@/components/ui/icons";
import { Page, Section } from "@/components/ui/Page";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { type Plan, usePlans } from "../plans";
import { feature, FEATURES, limit, QUOTA_NAMES, QUOTAS } from "../words";
import { PlanDrawer } from "./PlanDrawer";
import { NEW, price } from "./catalogue";

/** Every plan beside the others: what it costs, what it limits, what it opens. */
export function Component() {
  const may = useMay("platform:plans");
  const { data: plans, error, refetch } = usePlans();
  const [edited, setEdited] = useState<Plan | null>(null);
  const add = may && plans && (
    <Button onClick={() => setEdited(NEW)} leftSection={<IconPlus size={16} aria-hidden />}>
      {t("Add a plan")}
    </Button>
  );
  return (
    <Page title={t("Plans")} lead={t("What projects may. A change counts from their next call on; what they have beyond it stays.")} actions={add}>
      {error && !plans ? <Failed error={error} retry={refetch} /> : plans ? <Compared plans={plans} edit={may ? setEdited : undefined} /> : <RowSkeletons />}
      {plans && edited && <PlanDrawer key={edited.name} plan={edited} plans={plans} close={() => setEdited(null)} />}
    </Page>
  );
}

interface Comparison {
  plans: Plan[];
  edit?: (plan: Plan) => void;
}

/** All of them beside each other, or one to choose where there is no room for that. */
function Compared({ plans, edit }: Comparison) {
  const [name, choose] = useState<string | null>(null);
  const isNarrow = useMediaQuery("(max-width: 640px)", false, { getInitialValueInEffect: false });
  const one = plans.find((plan) => plan.name === name) ?? plans[0]!;
  return (
    <Section>
      {isNarrow && (
        <Group gap="xs" mb="xs" wrap="nowrap">
          <Select aria-label={t("Plan")} flex={1} allowDeselect={false} value={one.name} onChange={choose} data={plans.map((plan) => ({ value: plan.name, label: plan.label }))} />
          {edit && (
            <Button variant="default" onClick={() => edit(one)}>
              {t("Change")}
            </Button>
          )}
        </Group>
      )}
      <Columns plans={isNarrow ? [one] : plans} features={featuresOf(plans)} edit={isNarrow ? undefined : edit} />
    </Section>
  );
}

const featuresOf = (plans: Plan[]): string[] => [...new Set([...FEATURES, ...plans.flatMap((plan) => plan.features)])];

function Columns({ plans, features, edit }: Comparison & { features: string[] }) {
  return (
    <div className="compare" tabIndex={0} role="region" aria-label={t("Plans")}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t("Plan")}</th>
            {plans.map((plan) => (
              <th key={plan.name} scope="col">
                {plan.label}
                {edit && (
                  <ActionIcon variant="subtle" color="gray" size="sm" ml={4} aria-label={t("Change {name}", { name: plan.label })} onClick={() => edit(plan)}>
                    <IconSettings size={16} />
                  </ActionIcon>
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <Row name={t("A month")} cells={plans.map((plan) => price(plan.monthlyPriceCents))} />
          {QUOTA_NAMES.map((name) => (
            <Row key={name} name={name === "storageBytes" ? t("Storage") : QUOTAS[name]} cells={plans.map((plan) => limit(name, plan.quotas[name]))} />
          ))}
          <Row name={t("Over the quota")} cells={plans.map((plan) => (plan.overage ? t("metered") : t("refused")))} />
          <Row name={t("Days of grace")} cells={plans.map((plan) => String(plan.graceDays))} />
          <Row name={t("Support")} cells={plans.map((plan) => plan.support)} />
          {features.map((name) => (
            <Row key={name} name={feature(name)} cells={plans.map((plan) => (plan.features.includes(name) ? <IconCheck size={16} role="img" aria-label={t("yes")} /> : "–"))} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ name, cells }: { name: string; cells: ReactNode[] }) {
  return (
    <tr>
      <th scope="row">{name}</th>
      {cells.map((cell, place) => (
        // oxlint-disable-next-line no-array-index-key
        <td key={place}>{cell}</td>
      ))}
    </tr>
  );
}
