import { Button, Group, List, Stack, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Failed } from "@/components/ui/States";
import { asProblem } from "@/lib/problem";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";
import type { Provider } from "./providers";
import { defaults, filled, type ObjectSchema, type Values } from "./schema";
import { SchemaFields } from "./SchemaFields";
import { OF_PROJECT, type Store } from "./store";

interface Props {
  provider: Provider;
  store?: Store;
  done: (id: string, secret: string | null) => void;
}

/** A form made of what the provider describes. What it cannot check itself, the server says field by field. */
export function ConnectionForm({ provider, store = OF_PROJECT, done }: Props) {
  const settingsSchema = provider.settingsSchema as ObjectSchema;
  const credentialsSchema = provider.credentialsSchema as ObjectSchema;
  const [name, setName] = useState(provider.title);
  const [settings, setSettings] = useState<Values>(() => defaults(settingsSchema));
  const [credentials, setCredentials] = useState<Values>(() => defaults(credentialsSchema));
  const saving = useMutation({
    mutationFn: () => store.make({ provider: provider.provider, name, settings: filled(settings), credentials: filled(credentials) }),
    onSuccess: async (made) => {
      await queries.invalidateQueries({ queryKey: ["connections"] });
      done(made.id, made.secret ?? null);
    },
  });
  const errors = saving.error ? asProblem(saving.error).byField : {};
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        saving.mutate();
      }}
    >
      <Stack maw={620}>
        {provider.setupSteps.length > 0 && (
          <List size="sm" type="ordered" spacing={4}>
            {provider.setupSteps.map((step) => (
              <List.Item key={step.key}>{step.text}</List.Item>
            ))}
          </List>
        )}
        <TextInput label={t("Name")} description={t("How you will know it again.")} required value={name} error={errors.name} onChange={({ currentTarget }) => setName(currentTarget.value)} />
        <SchemaFields schema={settingsSchema} values={settings} change={setSettings} errors={errors} prefix="settings" />
        <SchemaFields schema={credentialsSchema} values={credentials} change={setCredentials} errors={errors} prefix="credentials" />
        {saving.error && <Failed error={saving.error} />}
        <Group>
          <Button type="submit" loading={saving.isPending}>
            {t("Connect")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
