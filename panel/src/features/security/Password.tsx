import { Button, Group, PasswordInput, Stack } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { tell } from "@/components/ui/told";
import { answered, api } from "@/lib/api";
import { asProblem } from "@/lib/problem";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";

const SHORTEST = 8;
export const EYE = { "aria-label": t("Show the password") };

export function Password() {
  const form = useForm({ initialValues: { current: "", new: "" } });
  const changing = useMutation({
    mutationFn: (body: typeof form.values) => answered(api.POST("/api/v1/auth/password/change", { body })),
    onSuccess: () => {
      form.reset();
      tell(t("The password is changed. Everywhere else you are signed out."));
      return queries.invalidateQueries({ queryKey: ["sessions"] });
    },
    onError: (error) => form.setErrors(asProblem(error).byField),
  });
  const unplaced = changing.error && asProblem(changing.error).errors.length === 0;
  return (
    <Section title={t("Password")}>
      <form onSubmit={form.onSubmit((values) => changing.mutate(values))}>
        <Stack gap="sm">
          {unplaced && <Failed error={changing.error} />}
          <PasswordInput label={t("Present password")} autoComplete="current-password" required visibilityToggleButtonProps={EYE} {...form.getInputProps("current")} />
          <PasswordInput label={t("New password")} description={t("{n} characters or more.", { n: SHORTEST })} autoComplete="new-password" required visibilityToggleButtonProps={EYE} {...form.getInputProps("new")} />
          <Group>
            <Button type="submit" variant="default" loading={changing.isPending}>
              {t("Change the password")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Section>
  );
}
