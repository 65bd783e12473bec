import { Button, Group, Select, Stack, Textarea, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Page, Section } from "@/components/ui/Page";
import { Failed, RowSkeletons } from "@/components/ui/States";
import { tell } from "@/components/ui/told";
import { answered, api, type Schemas } from "@/lib/api";
import { asProblem } from "@/lib/problem";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";
import { usePlanLabel, usePlans } from "../plans";

type Given = Schemas["PlatformSettingsAnswer"];
type Setting = Given["signup"];

export function Component() {
  const { data, error, refetch } = useQuery({
    queryKey: ["settings"],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/platform/settings", { signal })),
  });
  return (
    <Page title={t("Settings")} lead={t("They count on every process at once. What is left empty here is as the environment says.")}>
      {error && !data ? <Failed error={error} retry={refetch} /> : data ? <Form key={JSON.stringify(data)} given={data} /> : <RowSkeletons count={4} />}
    </Page>
  );
}

/** What is set here, and not elsewhere. */
const here = ({ value, source }: Setting) => (source === "platform" ? (value ?? "") : "");
const or = ({ value, source }: Setting, named = (each: string) => each) =>
  source === "platform" ? undefined : t("{value}, by {source}", { value: value ? named(value) : t("none"), source: source === "environment" ? t("the environment") : t("default") });

const SIGNUPS = [
  { value: "open", label: t("Anybody") },
  { value: "invite", label: t("Only operators, for somebody") },
  { value: "closed", label: t("Nobody") },
];

function Form({ given }: { given: Given }) {
  const { data: plans } = usePlans();
  const labelled = usePlanLabel();
  const form = useForm({
    initialValues: { signup: here(given.signup), defaultPlan: here(given.defaultPlan), supportEmail: here(given.supportEmail), announcement: here(given.announcement) },
  });
  const saving = useMutation({
    mutationFn: ({ signup, defaultPlan, supportEmail, announcement }: typeof form.values) =>
      answered(
        api.PUT("/api/v1/platform/settings", {
          body: { signup: (signup || null) as Schemas["RunTimeSettings"]["signup"], defaultPlan: defaultPlan || null, supportEmail: supportEmail || null, announcement: announcement || null },
        }),
      ),
    onSuccess: async () => {
      tell(t("Saved."));
      await Promise.all([queries.invalidateQueries({ queryKey: ["settings"] }), queries.invalidateQueries({ queryKey: ["about"] })]);
    },
    onError: (error) => form.setErrors(asProblem(error).byField),
  });
  const clear = { clearable: true, clearButtonProps: { "aria-label": t("Clear") } };
  return (
    <Section>
      <form onSubmit={form.onSubmit((values) => saving.mutate(values))}>
        <Stack maw={560}>
          {saving.error && asProblem(saving.error).errors.length === 0 && <Failed error={saving.error} />}
          <Select label={t("Who may make a project")} placeholder={or(given.signup)} data={SIGNUPS} {...clear} {...form.getInputProps("signup")} value={form.values.signup || null} />
          <Select label={t("Plan of a new project")} placeholder={or(given.defaultPlan, labelled)} data={(plans ?? []).map(({ name, label }) => ({ value: name, label }))} {...clear} {...form.getInputProps("defaultPlan")} value={form.values.defaultPlan || null} />
          <TextInput label={t("Support")} description={t("Where people turn to; everybody can read it.")} type="email" placeholder={or(given.supportEmail)} {...form.getInputProps("supportEmail")} />
          <Textarea label={t("Announcement")} description={t("Words for everybody, at GET /platform/about.")} placeholder={or(given.announcement)} autosize minRows={2} {...form.getInputProps("announcement")} />
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
