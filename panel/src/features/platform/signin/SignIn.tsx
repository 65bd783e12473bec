import { Button, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useState } from "react";
import { Failed } from "@/components/ui/States";
import { answered, open } from "@/lib/api";
import { asProblem, Problem } from "@/lib/problem";
import { enter } from "@/lib/session";
import { t } from "@/lib/t";
import { PlatformDoor } from "./PlatformDoor";

export function Component() {
  const [error, setError] = useState<Problem | null>(null);
  const [asksCode, setAsksCode] = useState(false);
  const [busy, setBusy] = useState(false);
  const form = useForm({ initialValues: { email: "", password: "", code: "" } });

  async function submit({ email, password, code }: typeof form.values) {
    setBusy(true);
    setError(null);
    const body = { email, password, ...(code && { code: code.trim() }) };
    try {
      const { tokens } = await answered(open.POST("/api/v1/platform/auth/login", { body }));
      await enter(tokens);
    } catch (caught) {
      const problem = asProblem(caught);
      if (problem.code === "second_factor_required" && !asksCode) setAsksCode(true);
      else setError(problem);
    } finally {
      setBusy(false);
    }
  }

  return (
    <PlatformDoor title={t("Sign in to the platform")}>
      <form onSubmit={form.onSubmit(submit)}>
        <Stack gap="sm">
          {error && <Failed error={error} />}
          <TextInput label={t("E-mail")} type="email" autoComplete="username" required autoFocus {...form.getInputProps("email")} />
          <PasswordInput label={t("Password")} autoComplete="current-password" required visibilityToggleButtonProps={{ "aria-label": t("Show the password") }} {...form.getInputProps("password")} />
          {asksCode && (
            <TextInput label={t("Code")} description={t("Six digits of your authenticator, or a recovery code.")} inputMode="numeric" autoComplete="one-time-code" required autoFocus {...form.getInputProps("code")} />
          )}
          <Button type="submit" loading={busy} fullWidth mt="xs">
            {t("Sign in")}
          </Button>
        </Stack>
      </form>
      <Text size="sm" c="dimmed">
        {t("For those who run this installation. The first one comes by the link that `tocsin up` shows; `tocsin admin create` prints one for anybody else, or for a password that was lost.")}
      </Text>
    </PlatformDoor>
  );
}
