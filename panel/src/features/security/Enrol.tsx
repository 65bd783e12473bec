import { Button, Group, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Id } from "@/components/ui/Code";
import { Qr } from "@/components/ui/Qr";
import { Failed } from "@/components/ui/States";
import { answered, api } from "@/lib/api";
import { t } from "@/lib/t";
import { EYE } from "./Password";

interface Props {
  done: (codes: string[]) => Promise<void>;
  cancel: () => void;
}

/** The password, then the secret as a picture, then a first code that proves the app has it. */
export function Enrol({ done, cancel }: Props) {
  const [password, setPassword] = useState("");
  const enrolling = useMutation({
    mutationFn: () => answered(api.POST("/api/v1/auth/2fa/enrol", { body: { password: password || null } })),
  });
  if (enrolling.data) return <Scan {...enrolling.data} done={done} cancel={cancel} />;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        enrolling.mutate();
      }}
    >
      <Stack gap="sm">
        {enrolling.error && <Failed error={enrolling.error} />}
        <PasswordInput label={t("Your password")} description={t("Empty if you signed in by single sign-on a moment ago.")} autoComplete="current-password" autoFocus visibilityToggleButtonProps={EYE} value={password} onChange={({ currentTarget }) => setPassword(currentTarget.value)} />
        <Buttons act={t("Go on")} busy={enrolling.isPending} cancel={cancel} />
      </Stack>
    </form>
  );
}

function Scan({ uri, secret, done, cancel }: Props & { uri: string; secret: string }) {
  const [code, setCode] = useState("");
  const confirming = useMutation({
    mutationFn: async () => done((await answered(api.POST("/api/v1/auth/2fa/confirm", { body: { code: code.replace(/\s/g, "") } }))).recoveryCodes),
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        confirming.mutate();
      }}
    >
      <Stack gap="md">
        <div className="scan">
          <Qr value={uri} label={t("Secret for your authenticator app")} />
          <div>
            <Text size="sm" mb="xs">
              {t("Scan this with an authenticator app, or type the secret into it:")}
            </Text>
            <Id value={secret} />
          </div>
        </div>
        {confirming.error && <Failed error={confirming.error} />}
        <TextInput label={t("Code of the app")} description={t("Six digits.")} inputMode="numeric" autoComplete="one-time-code" required maw={200} value={code} onChange={({ currentTarget }) => setCode(currentTarget.value)} />
        <Buttons act={t("Turn it on")} busy={confirming.isPending} cancel={cancel} />
      </Stack>
    </form>
  );
}

export function Buttons({ act, busy, cancel }: { act: string; busy: boolean; cancel: () => void }) {
  return (
    <Group gap="xs">
      <Button type="submit" loading={busy}>
        {act}
      </Button>
      <Button variant="default" onClick={cancel}>
        {t("Cancel")}
      </Button>
    </Group>
  );
}
