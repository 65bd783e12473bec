import { Button, Checkbox, Group, MultiSelect, NumberInput, SegmentedControl, Stack, Text } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useState } from "react";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import type { Schemas } from "@/lib/api";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { usePlans } from "../plans";
import { choices, feature, FEATURES, limit, QUOTA_NAMES, QUOTAS } from "../words";
import { useChange } from "./change";
import { draftOf, overridesOf, type Overrides } from "./overrides";

/** Limits of its own, beside those of its plan. */
export function Limits({ project }: { project: Schemas["PlatformProject"] }) {
  const may = useMay("platform:billing");
  const [opened, setOpened] = useState(false);
  const own = project.overrides as Partial<Overrides> | null;
  const count = Object.keys(own?.quotas ?? {}).length + Object.keys(own?.features ?? {}).length + (own?.overage == null ? 0 : 1);
  const aside = may && !opened && (
    <Button size="compact-sm" variant="default" onClick={() => setOpened(true)}>
      {t("Change")}
    </Button>
  );
  return (
    <Section title={t("Limits of its own")} aside={aside}>
      {opened ? <Form project={project} own={own} /> : count ? <Given own={own!} /> : <Text size="sm" c="dimmed">{t("None: it has what its plan allows.")}</Text>}
    </Section>
  );
}

function Given({ own }: { own: Partial<Overrides> }) {
  const quotas = Object.entries(own.quotas ?? {}).map(([name, value]) => `${QUOTAS[name as keyof typeof QUOTAS] ?? name}: ${limit(name, value)}`);
  const features = Object.entries(own.features ?? {}).map(([name, given]) => (given ? t("with {name}", { name: feature(name) }) : t("without {name}", { name: feature(name) })));
  const overage = own.overage == null ? [] : [own.overage ? t("may go over its quotas") : t("may not go over its quotas")];
  return (
    <>
      {[...quotas, ...features, ...overage].map((words) => (
        <span key={words} className="chip">
          {words}
        </span>
      ))}
    </>
  );
}

function Form({ project, own }: { project: Schemas["PlatformProject"]; own: Partial<Overrides> | null }) {
  const { data: plans } = usePlans();
  const plan = plans?.find(({ name }) => name === project.plan);
  const saving = useChange(project.id);
  const form = useForm({ initialValues: draftOf(own) });
  return (
    <form onSubmit={form.onSubmit((draft) => saving.mutate({ overrides: overridesOf(draft) }))}>
      <Stack>
        {saving.error && <Failed error={saving.error} />}
        <div>
          {QUOTA_NAMES.map((name) => (
            <div key={name} className="limit-row">
              <span>{QUOTAS[name]}</span>
              <span className="dimmed">{t("plan: {limit}", { limit: limit(name, plan?.quotas[name]) })}</span>
              <NumberInput aria-label={QUOTAS[name]} size="xs" min={0} allowDecimal={false} hideControls thousandSeparator=" " placeholder={t("as the plan")} disabled={form.values.quotas[name].unlimited} {...form.getInputProps(`quotas.${name}.value`)} />
              <Checkbox size="xs" label={t("unlimited")} aria-label={t("{name}: unlimited", { name: QUOTAS[name] })} {...form.getInputProps(`quotas.${name}.unlimited`, { type: "checkbox" })} />
            </div>
          ))}
        </div>
        <MultiSelect label={t("Features beyond its plan")} data={choices(FEATURES.filter((name) => !form.values.less.includes(name)))} searchable {...form.getInputProps("more")} />
        <MultiSelect label={t("Features taken away")} data={choices(FEATURES.filter((name) => !form.values.more.includes(name)))} searchable {...form.getInputProps("less")} />
        <div>
          <Text size="sm" fw={500} mb={4} id="overage">
            {t("Over the quotas of a month")}
          </Text>
          <SegmentedControl
            size="xs"
            aria-labelledby="overage"
            data={[
              { value: "plan", label: t("As the plan") },
              { value: "yes", label: t("Goes on, and is metered") },
              { value: "no", label: t("Is refused") },
            ]}
            {...form.getInputProps("overage")}
          />
        </div>
        <Group>
          <Button type="submit" loading={saving.isPending} disabled={!form.isDirty()}>
            {t("Save")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
