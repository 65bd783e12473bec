import { Button, Group, Select, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import type { Schemas } from "@/lib/api";
import { asProblem } from "@/lib/problem";
import { t } from "@/lib/t";
import { usePlans } from "../plans";
import { useChange } from "./change";

const DAY = 10;

/** Plan, trial and who hears of quotas. */
export function Billing({ project }: { project: Schemas["PlatformProject"] }) {
  const { data: plans } = usePlans();
  const saving = useChange(project.id);
  const form = useForm({
    initialValues: { plan: project.plan, trialEndsAt: project.trialEndsAt?.slice(0, DAY) ?? "", billingEmail: project.billingEmail ?? "" },
  });
  const save = ({ plan, trialEndsAt, billingEmail }: typeof form.values) =>
    saving.mutate(
      {
        plan,
        billingEmail: billingEmail || null,
        // The day alone is asked; a time that was set otherwise stays unless the day changes.
        ...(form.isDirty("trialEndsAt") && { trialEndsAt: trialEndsAt ? `${trialEndsAt}T00:00:00Z` : null }),
      },
      { onError: (error) => form.setErrors(asProblem(error).byField) },
    );
  return (
    <Section title={t("Plan and billing")}>
      <form onSubmit={form.onSubmit(save)}>
        <Stack>
          {saving.error && asProblem(saving.error).errors.length === 0 && <Failed error={saving.error} />}
          <Group grow align="flex-start" preventGrowOverflow={false}>
            <Select label={t("Plan")} allowDeselect={false} data={(plans ?? [{ name: project.plan, label: project.plan }]).map(({ name, label }) => ({ value: name, label }))} {...form.getInputProps("plan")} />
            <TextInput label={t("Trial ends")} type="date" {...form.getInputProps("trialEndsAt")} />
            <TextInput label={t("Billing contact")} placeholder={t("its owner")} type="email" {...form.getInputProps("billingEmail")} />
          </Group>
          <Group>
            <Button type="submit" loading={saving.isPending} disabled={!form.isDirty()}>
              {t("Save")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}
