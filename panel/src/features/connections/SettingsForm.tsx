import { Button, Group, Stack, Switch, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Failed } from "@/components/ui/States";
import { tell } from "@/components/ui/told";
import { asProblem } from "@/lib/problem";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";
import type { Provider } from "./providers";
import { changesOf, type ObjectSchema, type Shown, type Values } from "./schema";
import { SchemaFields } from "./SchemaFields";
import type { Connection } from "./setup";
import type { Store } from "./store";

interface Props {
  one: Connection;
  provider: Provider;
  store: Store;
  done: () => void;
}

/**
 * All of a connection that its owner may change, as it was when this was opened: what is left as it is is not sent, so a
 * colleague's change of it stays.
 */
export function SettingsForm({ one, provider, store, done }: Props) {
  const [shown] = useState<Shown>({ name: one.name, isDefault: one.isDefault, useAsFallback: one.useAsFallback, settings: one.settings ?? {}, credentials: one.credentials ?? {} });
  const [name, setName] = useState(shown.name);
  const [settings, setSettings] = useState<Values>(shown.settings);
  const [credentials, setCredentials] = useState<Values>(shown.credentials);
  const [isDefault, setDefault] = useState(shown.isDefault);
  const [useAsFallback, setFallback] = useState(shown.useAsFallback);
  const saving = useMutation({
    mutationFn: () => store.change(one.id, changesOf(shown, { name, isDefault, useAsFallback, settings, credentials })),
    onSuccess: async ({ status }) => {
      tell(status === "pending" ? t("Saved. Verify it, so that it sends.") : t("Saved."));
      await queries.invalidateQueries({ queryKey: ["connections"] });
      done();
    },
  });
  const errors = saving.error ? asProblem(saving.error).byField : {};
  return (
    <form
      aria-label={t("Settings")}
      onSubmit={(event) => {
        event.preventDefault();
        saving.mutate();
      }}
    >
      <Stack maw={620}>
        <TextInput label={t("Name")} required value={name} error={errors.name} onChange={({ currentTarget }) => setName(currentTarget.value)} />
        <SchemaFields schema={provider.settingsSchema as ObjectSchema} values={settings} change={setSettings} errors={errors} prefix="settings" />
        <SchemaFields schema={provider.credentialsSchema as ObjectSchema} values={credentials} change={setCredentials} errors={errors} prefix="credentials" />
        <Switch label={t("Default of its channel")} description={t("Where several can send, this one does.")} checked={isDefault} onChange={({ currentTarget }) => setDefault(currentTarget.checked)} />
        <Switch label={t("Stands in for others")} description={t("It sends when a nearer connection cannot.")} checked={useAsFallback} onChange={({ currentTarget }) => setFallback(currentTarget.checked)} />
        {saving.error && <Failed error={saving.error} />}
        <Group gap="xs">
          <Button type="submit" loading={saving.isPending}>
            {t("Save")}
          </Button>
          <Button variant="default" onClick={done}>
            {t("Cancel")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
