import { Button, Group, JsonInput, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { useNavigate, useSearchParams } from "react-router";
import { Page, Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { useEnv } from "@/lib/env";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";
import { CodeSamples } from "../welcome/CodeSamples";
import { SAMPLE, sendEvent, typed } from "./send";

export function Component() {
  const go = useNavigate();
  const [search] = useSearchParams();
  const { env } = useEnv();
  const form = useForm({
    initialValues: { type: search.get("type") ?? SAMPLE.type, payload: JSON.stringify(SAMPLE.payload, null, 2) },
    validate: { payload: (text) => (typed(text) ? null : t("This is no JSON object.")) },
  });
  const sending = useMutation({
    mutationFn: ({ type, payload }: typeof form.values) => sendEvent(type, typed(payload)!),
    onSuccess: async ({ id }) => {
      await queries.invalidateQueries({ queryKey: ["events"] });
      await go(`/events/${id}`);
    },
  });
  return (
    <Page
      title={t("Send an event")}
      lead={env === "live" ? t("Rules run and messages leave: this is Live.") : t("Rules run, and nothing leaves: this is Test.")}
      back={{ to: "/events", label: t("Events") }}
    >
      <Section>
        <form onSubmit={form.onSubmit((values) => sending.mutate(values))}>
          <Stack>
            {sending.error && <Failed error={sending.error} />}
            <TextInput label={t("Type")} required {...form.getInputProps("type")} />
            <JsonInput label={t("Payload")} autosize minRows={6} maxRows={20} styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }} {...form.getInputProps("payload")} />
            <Group>
              <Button type="submit" loading={sending.isPending}>
                {t("Send")}
              </Button>
            </Group>
          </Stack>
        </form>
      </Section>
      <Section title={t("From your backend")}>
        <CodeSamples type={form.values.type} payload={typed(form.values.payload) ?? {}} />
      </Section>
    </Page>
  );
}
