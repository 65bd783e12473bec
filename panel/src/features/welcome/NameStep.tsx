import { Button, ColorInput, Group, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { useColour } from "@/components/brand/brand";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { answered, api } from "@/lib/api";
import { asProblem } from "@/lib/problem";
import { reread, useSession } from "@/lib/session";
import { t } from "@/lib/t";

const SWATCHES = ["#3B4CCA", "#0F7B6C", "#C2410C", "#B4235A", "#1D6FB8", "#FFD400", "#111827"];

/** How the project is called and looks; the panel takes the colour on at once. */
export function NameStep({ next }: { next: () => void }) {
  const project = useSession((session) => session.me?.project);
  const colour = useColour();
  const form = useForm({
    initialValues: { name: project?.name ?? "", brandColor: colour, logoUrl: (project?.branding.logoUrl as string | undefined) ?? "" },
  });
  const saving = useMutation({
    mutationFn: async ({ name, brandColor, logoUrl }: typeof form.values) => {
      await answered(api.PUT("/api/v1/projects/me", { body: { name } }));
      await answered(api.PUT("/api/v1/projects/me/branding", { body: { brandColor, logoUrl: logoUrl || null } }));
      await reread();
    },
    onSuccess: next,
    onError: (error) => form.setErrors(asProblem(error).byField),
  });
  return (
    <Section>
      <form onSubmit={form.onSubmit((values) => saving.mutate(values))}>
        <Stack>
          {saving.error && <Failed error={saving.error} />}
          <TextInput label={t("Name")} description={t("As people will see it.")} required {...form.getInputProps("name")} />
          <ColorInput label={t("Colour")} swatches={SWATCHES} eyeDropperButtonProps={{ "aria-label": t("Pick from the screen") }} {...form.getInputProps("brandColor")} />
          <TextInput label={t("Logo")} description={t("An https address of a square picture. It can wait.")} type="url" placeholder="https://example.com/logo.svg" {...form.getInputProps("logoUrl")} />
          <Group justify="flex-end">
            <Button type="submit" loading={saving.isPending}>
              {t("Next")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}
