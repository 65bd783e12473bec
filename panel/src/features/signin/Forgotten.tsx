import { Anchor, Button, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { Link } from "react-router";
import { Failed } from "@/components/ui/States";
import { answered, open } from "@/lib/api";
import { t } from "@/lib/t";
import { Door } from "./Door";

export function Component() {
  const form = useForm({ initialValues: { email: "" } });
  const asking = useMutation({
    mutationFn: (body: { email: string }) => answered(open.POST("/api/v1/auth/password/forgot", { body })),
  });
  return (
    <Door title={t("Forgotten password")}>
      {asking.isSuccess ? (
        <Text size="sm">{t("If there is such an account, a mail with a link is on its way to it.")}</Text>
      ) : (
        <form onSubmit={form.onSubmit((values) => asking.mutate(values))}>
          <Stack gap="sm">
            {asking.error && <Failed error={asking.error} />}
            <TextInput label={t("E-mail")} type="email" autoComplete="username" required autoFocus {...form.getInputProps("email")} />
            <Button type="submit" loading={asking.isPending} fullWidth>
              {t("Send a link")}
            </Button>
          </Stack>
        </form>
      )}
      <Text size="sm">
        <Anchor component={Link} to="/signin">
          {t("Back to signing in")}
        </Anchor>
      </Text>
    </Door>
  );
}
