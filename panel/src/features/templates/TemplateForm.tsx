import { Alert, Autocomplete, Button, Group, Select, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { CodeField } from "@/components/ui/CodeField";
import { Section } from "@/components/ui/Page";
import { Failed, Marked } from "@/components/ui/States";
import { tell } from "@/components/ui/told";
import { answered, api } from "@/lib/api";
import { useEnv } from "@/lib/env";
import { asProblem } from "@/lib/problem";
import { queries } from "@/lib/queries";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { Preview } from "./Preview";
import { addressOf, hasDefault, languageName, mistakesIn, type Channel, type Default, type Key, type Kind, type Template } from "./templates";
import { usePreview } from "./usePreview";

interface Props {
  of: Key;
  saved?: Template;
  /** What to begin with. */
  like?: { subject: string; body: string };
  standing?: Default;
}

const CHANNELS: Channel[] = ["email", "sms", "telegram", "whatsapp", "push", "web_push", "realtime", "slack", "discord", "teams", "ntfy", "webhook", "http", "pusher", "apprise"];
const EXAMPLES: Record<Kind, string> = {
  notification: "{{ payload.orderId }}",
  digest: "{{ count }}, {% for item in items %}{{ item.title }}{% endfor %}",
  system_mail: "{{ project.name }}",
  layout: "{{ content }}",
};
const LANGUAGES = ["en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "da", "cs", "tr", "uk", "ar", "zh", "ja", "ko"];

export function TemplateForm({ of, saved, like, standing }: Props) {
  const may = useMay("project:manage");
  const { env } = useEnv();
  const go = useNavigate();
  const layout = of.kind === "layout";
  const mail = hasDefault(of.kind);
  const [name, setName] = useState(of.name);
  const [language, setLanguage] = useState(of.language);
  const [channel, setChannel] = useState(of.channel);
  const [subject, setSubject] = useState(like?.subject ?? "");
  const [body, setBody] = useState(like?.body ?? "");
  const preview = usePreview({ kind: of.kind, name, subject, body }, saved);
  const key: Key = { kind: of.kind, name, language, channel };
  const saving = useMutation({
    mutationFn: () => answered(api.PUT("/api/v1/templates", { body: { ...key, channel: channel as Channel | null, subject, body } })),
    onSuccess: async () => {
      tell(layout ? t("Saved. The next mail looks like this.") : mail ? t("Saved. The next mail says it like this.") : t("Saved. It counts for the next event."));
      await queries.invalidateQueries({ queryKey: ["templates"] });
      await go(addressOf(key), { replace: true });
    },
  });
  const problem = saving.error ? asProblem(saving.error) : null;
  const errors = { ...preview.errors, ...(problem && mistakesIn(of.kind, problem)) };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        saving.mutate();
      }}
    >
      <fieldset disabled={!may} className="plain">
        <div className="template-grid">
          <div>
            {saved && saved.env !== env && (
              <Alert color="yellow" className="notice" mb="md" radius="lg">
                <Text size="sm">{t("These words are of Live. Saving keeps others for Test.")}</Text>
              </Alert>
            )}
            <Section>
              <Stack>
                {!of.name && <TextInput label={t("Name")} description={t("As rules name it.")} placeholder="order-placed" required value={name} error={errors.name} onChange={({ currentTarget: { value } }) => setName(value)} />}
                {!saved && (
                  <Group grow align="flex-start">
                    <Autocomplete label={t("Language")} description={language ? languageName(language) : t("As a code: de, pt-BR.")} data={LANGUAGES} required value={language} error={errors.language} onChange={setLanguage} renderOption={({ option }) => `${languageName(option.value)} (${option.value})`} />
                    {!mail && <Select label={t("Channel")} description={t("For this one alone.")} placeholder={t("all channels")} data={CHANNELS} clearable value={channel} error={errors.channel} onChange={setChannel} />}
                  </Group>
                )}
                {!layout && <CodeField label={mail ? t("Subject") : t("Title")} language="liquid" required value={subject} change={setSubject} error={errors.subject} readOnly={!may} height={42} />}
                <CodeField label={layout ? t("HTML") : mail ? t("Text") : t("Message")} language="liquid" required={mail} value={body} change={setBody} error={errors.body} readOnly={!may} height={layout ? 340 : 160} />
                {standing ? <Variables standing={standing} /> : <Text size="xs" c="dimmed">{t("Liquid: {example} prints a value.", { example: EXAMPLES[of.kind] })}</Text>}
              </Stack>
            </Section>
          </div>
          <div className="rule-trial">
            <Preview of={of.kind} preview={preview} button={standing?.button ?? null} />
          </div>
        </div>
        {problem && !problem.errors.length && <Failed error={problem} />}
        {may && (
          <Group mt="md">
            <Button type="submit" loading={saving.isPending}>
              {t("Save")}
            </Button>
            <Marked problem={problem} />
          </Group>
        )}
      </fieldset>
    </form>
  );
}

/** What a mail has values for. */
function Variables({ standing }: { standing: Default }) {
  const words = standing.subject + standing.body;
  // Some names are words of Liquid's own, and are written as the default writes them.
  const layout = standing.kind === "layout";
  const spelt = (name: string) => (layout ? name : words.includes(`payload['${name}']`) ? `payload['${name}']` : `payload.${name}`);
  const names = [...(layout ? [] : ["project.name"]), ...standing.variables.map(spelt)];
  const must = standing.mustSay.map(spelt);
  return (
    <Text size="xs" c="dimmed" component="div">
      {t("It has values for")}{" "}
      {names.map((name) => (
        <span key={name} className="chip">
          {must.includes(name) ? t("{name}, which must be said", { name }) : name}
        </span>
      ))}
    </Text>
  );
}
