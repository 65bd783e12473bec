import { Button, Group, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { Badge } from "@/components/ui/Badge";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { tell, tellProblem } from "@/components/ui/told";
import { answered, api } from "@/lib/api";
import { asProblem } from "@/lib/problem";
import { t } from "@/lib/t";
import { useMe } from "../me/me";
import { EYE } from "./Password";

/** The address of the account. Another one counts once its mailed link was used. */
export function Email() {
  const me = useMe();
  const resending = useMutation({
    mutationFn: () => answered(api.POST("/api/v1/auth/email/resend")),
    onSuccess: () => tell(t("A mail with a link is on its way.")),
    onError: tellProblem,
  });
  return (
    <Section title={t("E-mail")}>
      <Group gap="sm" mb="md">
        <Text size="sm">{me.email ?? t("None yet.")}</Text>
        {me.email && <Badge state={me.emailVerifiedAt ? "ok" : "unverified"}>{me.emailVerifiedAt ? t("Proven") : t("Not proven")}</Badge>}
        {me.email && !me.emailVerifiedAt && (
          <Button size="compact-xs" variant="default" loading={resending.isPending} onClick={() => resending.mutate()}>
            {t("Mail me the link")}
          </Button>
        )}
      </Group>
      <EmailForm />
    </Section>
  );
}

function EmailForm() {
  const form = useForm({ initialValues: { email: "", password: "" } });
  const changing = useMutation({
    mutationFn: ({ email, password }: typeof form.values) => answered(api.POST("/api/v1/auth/email/change", { body: { email, ...(password && { password }) } })),
    onSuccess: () => form.reset(),
    onError: (error) => form.setErrors(asProblem(error).byField),
  });
  const unplaced = changing.error && asProblem(changing.error).errors.length === 0;
  return (
    <form onSubmit={form.onSubmit((values) => changing.mutate(values))}>
      <Stack gap="sm">
        {unplaced && <Failed error={changing.error} />}
        <TextInput label={t("New address")} type="email" autoComplete="off" required {...form.getInputProps("email")} />
        <PasswordInput label={t("Your password")} autoComplete="current-password" visibilityToggleButtonProps={EYE} {...form.getInputProps("password")} />
        <Group>
          <Button type="submit" variant="default" loading={changing.isPending}>
            {t("Change the address")}
          </Button>
        </Group>
        {changing.isSuccess && (
          <Text size="sm" role="status">
            {t("A mail with a link went to {address}. Until it is used, nothing changes.", { address: changing.variables.email })}
          </Text>
        )}
      </Stack>
    </form>
  );
}
