import { Anchor, Button, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useState } from "react";
import { Link } from "react-router";
import { Failed } from "@/components/ui/States";
import { answered, open } from "@/lib/api";
import { asProblem, Problem } from "@/lib/problem";
import { enter } from "@/lib/session";
import { t } from "@/lib/t";
import { Door } from "./Door";

const SHORTEST = 8;

export function Component() {
  const [error, setError] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const form = useForm({ initialValues: { projectName: "", email: "", password: "" } });

  async function submit(body: typeof form.values) {
    setBusy(true);
    setError(null);
    try {
      const made = await answered(open.POST("/api/v1/signup", { body }));
      await enter(made.tokens, made.apiKeys.test ?? null);
    } catch (caught) {
      const problem = asProblem(caught);
      form.setErrors(problem.byField);
      if (!problem.errors.length) setError(problem);
    } finally {
      setBusy(false);
    }
  }

  return (
    <Door title={t("Make a project")}>
      <form onSubmit={form.onSubmit(submit)}>
        <Stack gap="sm">
          {error && <Failed error={error} />}
          <TextInput label={t("Project")} description={t("Your product or company, as people will see it.")} required autoFocus {...form.getInputProps("projectName")} />
          <TextInput label={t("E-mail")} type="email" autoComplete="username" required {...form.getInputProps("email")} />
          <PasswordInput label={t("Password")} description={t("{n} characters or more.", { n: SHORTEST })} autoComplete="new-password" required visibilityToggleButtonProps={{ "aria-label": t("Show the password") }} {...form.getInputProps("password")} />
          <Button type="submit" loading={busy} fullWidth mt="xs">
            {t("Begin")}
          </Button>
        </Stack>
      </form>
      <Text size="sm" c="dimmed">
        {t("Already a member?")}{" "}
        <Anchor component={Link} to="/signin">
          {t("Sign in")}
        </Anchor>
      </Text>
    </Door>
  );
}
