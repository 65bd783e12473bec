import { Anchor, Button, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useState } from "react";
import { Link } from "react-router";
import { Failed } from "@/components/ui/States";
import { answered, open } from "@/lib/api";
import { boot } from "@/lib/boot";
import { asProblem, Problem } from "@/lib/problem";
import { enter } from "@/lib/session";
import { t } from "@/lib/t";
import { Door } from "./Door";

/** What the sign-in asks for beside e-mail and password, once the server said that it must. */
type More = "code" | "project";
const ASKS: Record<string, More> = { second_factor_required: "code", project_required: "project" };

export function Component() {
  const [error, setError] = useState<Problem | null>(null);
  const [more, setMore] = useState<More[]>([]);
  const [choices, setChoices] = useState("");
  const [busy, setBusy] = useState(false);
  const form = useForm({ initialValues: { email: "", password: "", code: "", project: "" } });

  async function submit({ email, password, code, project }: typeof form.values) {
    setBusy(true);
    setError(null);
    const body = { email, password, ...(code && { code: code.trim() }), ...(project && { project }) };
    try {
      const { tokens } = await answered(open.POST("/api/v1/auth/login", { body }));
      await enter(tokens);
    } catch (caught) {
      const problem = asProblem(caught);
      const ask = ASKS[problem.code];
      if (ask && !more.includes(ask)) setMore([...more, ask]);
      if (ask === "project") setChoices(problem.message);
      else if (!ask || more.includes(ask)) setError(problem);
    } finally {
      setBusy(false);
    }
  }

  return (
    <Door title={t("Sign in")}>
      <form onSubmit={form.onSubmit(submit)}>
        <Stack gap="sm">
          {error && <Failed error={error} />}
          <TextInput label={t("E-mail")} type="email" autoComplete="username" required autoFocus {...form.getInputProps("email")} />
          <PasswordInput label={t("Password")} autoComplete="current-password" required visibilityToggleButtonProps={{ "aria-label": t("Show the password") }} {...form.getInputProps("password")} />
          {more.includes("project") && (
            <TextInput label={t("Project")} description={choices} required autoFocus {...form.getInputProps("project")} />
          )}
          {more.includes("code") && (
            <TextInput label={t("Code")} description={t("Six digits of your authenticator, or a recovery code.")} inputMode="numeric" autoComplete="one-time-code" required autoFocus {...form.getInputProps("code")} />
          )}
          <Button type="submit" loading={busy} fullWidth mt="xs">
            {t("Sign in")}
          </Button>
        </Stack>
      </form>
      <Text size="sm" c="dimmed">
        <Anchor component={Link} to="/forgotten">
          {t("Forgotten the password?")}
        </Anchor>
        {boot.signup === "open" && (
          <>
            {" · "}
            <Anchor component={Link} to="/signup">
              {t("Make a project")}
            </Anchor>
          </>
        )}
      </Text>
    </Door>
  );
}
