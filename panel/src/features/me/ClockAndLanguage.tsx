import { Button, Group, Select, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { tell } from "@/components/ui/told";
import { answered, api } from "@/lib/api";
import { asProblem } from "@/lib/problem";
import { reread } from "@/lib/session";
import { t } from "@/lib/t";
import { of, useMe } from "./me";

const ZONES = Intl.supportedValuesOf("timeZone");
const LANGUAGES = ["ar", "cs", "de", "en", "es", "fr", "hu", "it", "ja", "nl", "pl", "pt", "ro", "ru", "sk", "sl", "tr", "uk", "zh"];

/** By whose clock the hours above count, and in which language rules with translations speak. */
export function ClockAndLanguage() {
  const me = useMe();
  const form = useForm({ initialValues: { name: me.name ?? "", timezone: me.timezone, locale: me.locale } });
  const saving = useMutation({
    mutationFn: (body: typeof form.values) => answered(api.PUT("/api/v1/users/{user_id}", { ...of(me.id), body: { ...body, name: body.name || null } })),
    onSuccess: async () => {
      await reread();
      form.resetDirty();
      tell(t("Saved."));
    },
    onError: (error) => form.setErrors(asProblem(error).byField),
  });
  return (
    <Section title={t("Name, clock and language")}>
      <form onSubmit={form.onSubmit((values) => saving.mutate(values))}>
        <Stack gap="sm">
          {saving.error && <Failed error={saving.error} />}
          <TextInput label={t("Name")} {...form.getInputProps("name")} />
          <Group align="flex-start" grow preventGrowOverflow={false}>
            <Select label={t("Time zone")} placeholder={t("The project's")} data={known(ZONES, me.timezone)} searchable clearable limit={60} nothingFoundMessage={t("No such zone")} clearButtonProps={{ "aria-label": t("The project's zone") }} {...form.getInputProps("timezone")} />
            <Select label={t("Language")} placeholder={t("The project's")} data={languages(me.locale)} searchable clearable clearButtonProps={{ "aria-label": t("The project's language") }} {...form.getInputProps("locale")} />
          </Group>
          <Group>
            <Button type="submit" size="xs" loading={saving.isPending} disabled={!form.isDirty()}>
              {t("Save")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}

/** What is set is on the list, whoever set it. */
function known(all: string[], set: string | null): string[] {
  return set && !all.includes(set) ? [set, ...all] : all;
}

/** Each by its own name. */
function languages(set: string | null) {
  return known(LANGUAGES, set).map((value) => ({ value, label: new Intl.DisplayNames([value], { type: "language" }).of(value) ?? value }));
}
