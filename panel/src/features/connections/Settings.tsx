import { Button } from "@mantine/core";
import { useState } from "react";
import { Facts } from "@/components/ui/Facts";
import { Section } from "@/components/ui/Page";
import { t } from "@/lib/t";
import { useProviders } from "./providers";
import type { ObjectSchema } from "./schema";
import { SettingsForm } from "./SettingsForm";
import type { Connection } from "./setup";
import { OF_PROJECT, type Store } from "./store";

interface Props {
  one: Connection;
  may: boolean;
  store?: Store;
}

/** By the names that the provider gives them; secrets come masked. Its owner changes them in the same place. */
export function Settings({ one, may, store = OF_PROJECT }: Props) {
  const [changing, setChanging] = useState(false);
  const provider = useProviders().data?.find((each) => each.provider === one.provider);
  const change = may && provider && !changing && (
    <Button size="compact-sm" variant="default" onClick={() => setChanging(true)}>
      {t("Change")}
    </Button>
  );
  if (provider && changing)
    return (
      <Section title={t("Settings")}>
        <SettingsForm key={one.id} one={one} provider={provider} store={store} done={() => setChanging(false)} />
      </Section>
    );
  const titles = { ...(provider?.settingsSchema as ObjectSchema | undefined)?.properties, ...(provider?.credentialsSchema as ObjectSchema | undefined)?.properties };
  const given = Object.entries({ ...one.settings, ...one.credentials }).filter(([, value]) => value !== null);
  if (!given.length && !may) return null;
  return (
    <Section title={t("Settings")} aside={change}>
      <Facts
        facts={[
          ...given.map(([name, value]): [string, string] => [titles[name]?.title ?? name, said(value)]),
          [t("Default of its channel"), one.isDefault ? t("yes") : t("no")],
          [t("Stands in for others"), one.useAsFallback ? t("yes") : t("no")],
        ]}
      />
    </Section>
  );
}

function said(value: unknown): string {
  if (typeof value === "boolean") return value ? t("yes") : t("no");
  if (Array.isArray(value)) return value.join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
