import { Anchor, Button, Group, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Facts } from "@/components/ui/Facts";
import { Step } from "@/components/ui/Guide";
import { Failed } from "@/components/ui/States";
import { asProblem } from "@/lib/problem";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";
import { type Connection, stored, verified, works } from "../setup";

interface Props {
  one: Connection | undefined;
  made: (id: string) => void;
}

const setting = (one: Connection | undefined, name: string): string => {
  const value = one?.settings?.[name];
  return typeof value === "string" ? value : "";
};

/** Four values of Meta's, each with the place where it stands there; Meta is asked whether they fit. */
export function AccountStep({ one, made }: Props) {
  const [changing, setChanging] = useState(false);
  const [warnings, setWarnings] = useState<string[]>([]);
  const done = works(one) && !changing;
  const finished = (id: string, told: string[]) => {
    setWarnings(told);
    setChanging(false);
    made(id);
  };
  return (
    <Step title={t("Copy four values from Meta")} standing={done ? "done" : "now"}>
      {done ? (
        <Stack gap="sm">
          <Facts facts={[[t("Name"), said(one?.account?.name)], [t("Phone number ID"), setting(one, "phoneNumberId")]]} />
          {warnings.map((warning) => (
            <Text key={warning} size="sm">
              {warning}
            </Text>
          ))}
          <Button variant="default" size="compact-sm" onClick={() => setChanging(true)} style={{ alignSelf: "flex-start" }}>
            {t("Change")}
          </Button>
        </Stack>
      ) : (
        <AccountForm one={one} finished={finished} />
      )}
    </Step>
  );
}

const said = (value: unknown): string => (typeof value === "string" && value ? value : t("not asked in Test"));

function AccountForm({ one, finished }: { one: Connection | undefined; finished: (id: string, warnings: string[]) => void }) {
  const [id, setId] = useState(one?.id);
  const form = useForm({
    initialValues: { phoneNumberId: setting(one, "phoneNumberId"), businessAccountId: setting(one, "businessAccountId"), accessToken: "", appSecret: "" },
    validate: { phoneNumberId: digits, businessAccountId: (id) => (id ? digits(id) : null) },
  });
  const checking = useMutation({
    mutationFn: async ({ phoneNumberId, businessAccountId, accessToken, appSecret }: typeof form.values) => {
      const settings = { ...one?.settings, phoneNumberId: phoneNumberId.trim(), ...(businessAccountId && { businessAccountId: businessAccountId.trim() }) };
      const credentials = { ...(accessToken && { accessToken: accessToken.trim() }), ...(appSecret && { appSecret: appSecret.trim() }) };
      const kept = await stored(id, { provider: "whatsapp", name: "WhatsApp", owner: "project", settings, credentials });
      setId(kept);
      const { warnings } = await verified(kept, {});
      return { kept, warnings: warnings ?? [] };
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["connections"] }),
    onSuccess: ({ kept, warnings }) => finished(kept, warnings),
    onError: (error) => form.setErrors(named(asProblem(error).byField)),
  });
  const problem = checking.error && asProblem(checking.error);
  const stays = id ? t("Empty: the one that is stored.") : undefined;
  const hide = { "aria-label": t("Show it") };
  return (
    <form onSubmit={form.onSubmit((values) => checking.mutate(values))}>
      <Stack gap="md">
        <Text size="sm">
          {t("In")}{" "}
          <Anchor underline="always" href="https://developers.facebook.com/apps" target="_blank" rel="noreferrer" size="sm">
            {t("Meta's developer console")}
          </Anchor>
          {t(", make an app of the type Business and add WhatsApp to it. Then copy:")}
        </Text>
        <TextInput label={t("Phone number ID")} description={t("WhatsApp → API Setup, below the number. Neither the number nor the account.")} inputMode="numeric" required {...form.getInputProps("phoneNumberId")} />
        <TextInput label={t("WhatsApp Business Account ID")} description={t("On the same page. With it we see whether statuses and messages will come.")} inputMode="numeric" {...form.getInputProps("businessAccountId")} />
        <PasswordInput label={t("Access token")} description={stays ?? t("Business settings → System users → Generate new token, expiry Never, with whatsapp_business_messaging and whatsapp_business_management.")} required={!id} autoComplete="off" visibilityToggleButtonProps={hide} {...form.getInputProps("accessToken")} />
        <PasswordInput label={t("App secret")} description={stays ?? t("App settings → Basic. It proves that what arrives was sent by Meta.")} required={!id} autoComplete="off" visibilityToggleButtonProps={hide} {...form.getInputProps("appSecret")} />
        {problem && Object.keys(named(problem.byField)).length === 0 && <Failed error={problem} />}
        <Group>
          <Button type="submit" loading={checking.isPending}>
            {t("Ask Meta")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** Both are easily taken for the phone number, which has a plus sign and blanks. */
function digits(id: string): string | null {
  return /^\s*[0-9]{5,30}\s*$/.test(id) ? null : t("An ID of digits alone, as Meta shows it. The phone number is another thing.");
}

const FIELDS = ["phoneNumberId", "businessAccountId", "accessToken", "appSecret"];

/** Errors under the names of this form; the API puts `settings` or `credentials` before them. */
function named(errors: Record<string, string>): Record<string, string> {
  const short = Object.entries(errors).map(([name, words]) => [name.split(".").at(-1)!, words] as const);
  return Object.fromEntries(short.filter(([name]) => FIELDS.includes(name)));
}
