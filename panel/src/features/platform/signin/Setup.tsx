import { Anchor, Button, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Failed } from "@/components/ui/States";
import { answered, open, type Schemas } from "@/lib/api";
import { asProblem } from "@/lib/problem";
import { t } from "@/lib/t";
import { PlatformDoor } from "./PlatformDoor";

/** What names an account already is longer; the first admin's link names nobody. */
const LONGEST_OF_NOBODY = 50;
const SHORTEST = 8;

/** A one-time link: somebody chooses a password. Its token leaves the address at once. */
export function Component() {
  const [token] = useState(() => location.hash.slice(1));
  const first = token.length <= LONGEST_OF_NOBODY;
  const form = useForm({ initialValues: { email: "", name: "", password: "" } });
  const setting = useMutation({
    mutationFn: ({ email, name, password }: typeof form.values) =>
      answered(open.POST("/api/v1/platform/setup", { body: { token, password, ...(first && { email }), ...(name && { name }) } })),
    onError: (error) => form.setErrors(asProblem(error).byField),
  });
  useEffect(() => history.replaceState(history.state, "", location.pathname), []);
  if (setting.data) return <Done answer={setting.data} />;
  return (
    <PlatformDoor title={!token ? t("A one-time link") : first ? t("The first admin") : t("Choose a password")}>
      {token ? (
        <form onSubmit={form.onSubmit((values) => setting.mutate(values))}>
          <Stack gap="sm">
            {setting.error && asProblem(setting.error).errors.length === 0 && <Failed error={setting.error} />}
            {first && <TextInput label={t("E-mail")} type="email" autoComplete="username" required autoFocus {...form.getInputProps("email")} />}
            <TextInput label={t("Name")} description={t("Projects that you visit read it.")} autoComplete="name" {...form.getInputProps("name")} />
            <PasswordInput label={t("Password")} description={t("{n} characters or more.", { n: SHORTEST })} autoComplete="new-password" required visibilityToggleButtonProps={{ "aria-label": t("Show the password") }} {...form.getInputProps("password")} />
            <Button type="submit" loading={setting.isPending} fullWidth mt="xs">
              {t("Save")}
            </Button>
          </Stack>
        </form>
      ) : (
        <Text size="sm">{t("This takes the whole link, with what follows the #. `tocsin up` shows one while there is no admin; `tocsin admin create` prints one.")}</Text>
      )}
    </PlatformDoor>
  );
}

function Done({ answer }: { answer: Schemas["FirstAdminAnswer"] }) {
  const door = answer.project === "platform" ? "/platform/signin" : "/panel/signin";
  return (
    <PlatformDoor title={t("Done")}>
      <Text size="sm">{t("The password counts. Sign in as {email}.", { email: answer.email })}</Text>
      <Anchor href={door} size="sm">
        {t("Sign in")}
      </Anchor>
    </PlatformDoor>
  );
}
