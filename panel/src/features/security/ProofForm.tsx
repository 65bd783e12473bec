import { PasswordInput, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { Failed } from "@/components/ui/States";
import type { Schemas } from "@/lib/api";
import { t } from "@/lib/t";
import { Buttons } from "./Enrol";
import { EYE } from "./Password";

interface Props {
  act: string;
  send: (body: Schemas["ProofBody"]) => Promise<void>;
  cancel: () => void;
}

/** Who they are, once more: for what an open browser alone must not do. */
export function ProofForm({ act, send, cancel }: Props) {
  const form = useForm({ initialValues: { password: "", code: "" } });
  const sending = useMutation({
    mutationFn: ({ password, code }: typeof form.values) => send({ code: code.trim(), password: password || null }),
  });
  return (
    <form onSubmit={form.onSubmit((values) => sending.mutate(values))}>
      <Stack gap="sm">
        {sending.error && <Failed error={sending.error} />}
        <PasswordInput label={t("Your password")} autoComplete="current-password" autoFocus visibilityToggleButtonProps={EYE} {...form.getInputProps("password")} />
        <TextInput label={t("Code")} description={t("Six digits of your authenticator, or a recovery code.")} autoComplete="one-time-code" required {...form.getInputProps("code")} />
        <Buttons act={act} busy={sending.isPending} cancel={cancel} />
      </Stack>
    </form>
  );
}
