import { Button, Checkbox, Drawer, Group, MultiSelect, NumberInput, Stack, Switch, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { confirm } from "@/components/ui/confirm";
import { Failed } from "@/components/ui/States";
import { tell } from "@/components/ui/told";
import { useFocusBack } from "@/components/ui/useFocusBack";
import { answered, api } from "@/lib/api";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";
import type { Plan } from "../plans";
import { choices, FEATURES, QUOTA_NAMES, QUOTAS } from "../words";
import { type PlanBody, withPlan } from "./catalogue";

interface Props {
  plan: Plan;
  plans: Plan[];
  close: () => void;
}

/** One plan, kept with the whole catalogue. */
export function PlanDrawer({ plan, plans, close }: Props) {
  useFocusBack();
  const form = useForm({
    initialValues: {
      ...plan,
      dollars: plan.monthlyPriceCents === null ? ("" as const) : plan.monthlyPriceCents / 100,
      agreed: plan.monthlyPriceCents === null,
      quotas: Object.fromEntries(QUOTA_NAMES.map((name) => [name, { value: plan.quotas[name] ?? 0, unlimited: plan.quotas[name] === null }])),
    },
  });
  const saving = useMutation({
    mutationFn: (all: PlanBody[]) => answered(api.PUT("/api/v1/platform/plans", { body: { plans: all } })),
    onSuccess: async () => {
      tell(t("It counts from now on."));
      await queries.invalidateQueries({ queryKey: ["plans"] });
      close();
    },
  });
  const save = ({ name, label, dollars, agreed, graceDays, overage, features, support, quotas }: typeof form.values) => {
    const limits = QUOTA_NAMES.map((quota) => [quota, quotas[quota]!.unlimited ? null : Number(quotas[quota]!.value)]);
    const body = { name, label, features, support, overage, graceDays, monthlyPriceCents: agreed ? null : Math.round(Number(dollars) * 100), quotas: Object.fromEntries(limits) as PlanBody["quotas"] };
    saving.mutate(withPlan(plans, plan.name, body));
  };
  const remove = () =>
    confirm({
      title: t("Delete {name}?", { name: plan.label }),
      text: t("It is offered to nobody any more. A plan that a project is on cannot be deleted."),
      yes: t("Delete"),
      act: () => saving.mutate(withPlan(plans, plan.name, null)),
    });
  return (
    <Drawer opened onClose={close} position="right" size="lg" title={plan.name ? plan.label : t("New plan")}>
      <form onSubmit={form.onSubmit(save)}>
        <Stack>
          {saving.error && <Failed error={saving.error} />}
          <Group grow align="flex-start">
            <TextInput label={t("Name")} description={t("As programs read it.")} placeholder="team" required disabled={Boolean(plan.name)} {...form.getInputProps("name")} />
            <TextInput label={t("Label")} description={t("As people read it.")} placeholder="Team" required data-autofocus {...form.getInputProps("label")} />
          </Group>
          <Group align="flex-end">
            <NumberInput label={t("USD a month")} min={0} decimalScale={2} disabled={form.values.agreed} required={!form.values.agreed} {...form.getInputProps("dollars")} />
            <Checkbox label={t("as agreed")} mb={8} {...form.getInputProps("agreed", { type: "checkbox" })} />
          </Group>
          <div>
            {QUOTA_NAMES.map((name) => (
              <div key={name} className="limit-row plan-limit">
                <span>{QUOTAS[name]}</span>
                <NumberInput aria-label={QUOTAS[name]} size="xs" min={0} allowDecimal={false} hideControls thousandSeparator=" " disabled={form.values.quotas[name]!.unlimited} {...form.getInputProps(`quotas.${name}.value`)} />
                <Checkbox size="xs" label={t("unlimited")} aria-label={t("{name}: unlimited", { name: QUOTAS[name] })} {...form.getInputProps(`quotas.${name}.unlimited`, { type: "checkbox" })} />
              </div>
            ))}
          </div>
          <Switch label={t("Goes on over the quotas of a month, and is metered")} {...form.getInputProps("overage", { type: "checkbox" })} />
          <MultiSelect label={t("Features")} data={choices([...new Set([...FEATURES, ...plan.features])])} searchable {...form.getInputProps("features")} />
          <Group grow align="flex-start">
            <TextInput label={t("Support")} placeholder="e-mail" required {...form.getInputProps("support")} />
            <NumberInput label={t("Days of grace")} min={0} max={365} {...form.getInputProps("graceDays")} />
          </Group>
          <Group justify="space-between">
            {plan.name ? (
              <Button variant="default" onClick={remove}>
                {t("Delete")}
              </Button>
            ) : (
              <span />
            )}
            <Button type="submit" loading={saving.isPending}>
              {t("Save")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Drawer>
  );
}
