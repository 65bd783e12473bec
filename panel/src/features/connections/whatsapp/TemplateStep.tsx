import { Anchor, Button, Group, Select, Stack, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Badge } from "@/components/ui/Badge";
import { Step } from "@/components/ui/Guide";
import { Failed } from "@/components/ui/States";
import { answered, api } from "@/lib/api";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";
import { type Connection, verified, works } from "../setup";

/** Outside of 24 hours after a person's message only an approved template may be sent. */
export function TemplateStep({ one, done }: { one: Connection | undefined; done: boolean }) {
  return (
    <Step title={t("Choose a template")} standing={done ? "done" : works(one) ? "open" : "later"}>
      <Stack gap="sm">
        <Text size="sm">
          {t("Who has not written within 24 hours may be sent an approved template alone. Make one of the category Utility in the")}{" "}
          <Anchor underline="always" href="https://business.facebook.com/wa/manage/message-templates" target="_blank" rel="noreferrer" size="sm">
            {t("WhatsApp Manager")}
          </Anchor>
          {t(", with two places: {{1}} for the title and {{2}} for the message.")}
        </Text>
        {one && <Choice one={one} />}
      </Stack>
    </Step>
  );
}

function Choice({ one }: { one: Connection }) {
  const [chosen, setChosen] = useState<string | null>(null);
  const { data, error } = useQuery({
    queryKey: ["connections", "templates", one.id],
    queryFn: ({ signal }) => answered(api.GET("/api/v1/connections/{connection_id}/templates", { params: { path: { connection_id: one.id }, query: { limit: 100 } }, signal })),
  });
  const again = () => queries.invalidateQueries({ queryKey: ["connections"] });
  const looking = useMutation({ mutationFn: () => verified(one.id, {}), onSettled: again });
  const saving = useMutation({
    mutationFn: async (id: string) => {
      const template = data!.items.find((each) => each.id === id)!;
      const settings = { ...one.settings, template: template.name, templateLanguage: template.language };
      await answered(api.PUT("/api/v1/connections/{connection_id}", { params: { path: { connection_id: one.id } }, body: { settings } }));
    },
    onSettled: again,
  });
  const used = data?.items.find((each) => each.name === one.settings?.template && each.language === one.settings?.templateLanguage);
  const approved = data?.items.filter((each) => each.status === "APPROVED") ?? [];
  const problem = error ?? looking.error ?? saving.error;
  return (
    <Stack gap="sm">
      {used && (
        <Group gap="xs">
          <Text size="sm">
            {t("In use:")} <code>{used.name}</code> ({used.language})
          </Text>
          <Badge state={used.status === "APPROVED" ? "active" : "pending"}>{used.status.toLowerCase()}</Badge>
        </Group>
      )}
      {problem && <Failed error={problem} />}
      <Group align="flex-end">
        {approved.length > 0 && (
          <Select
            label={t("Approved templates")}
            data={approved.map((each) => ({ value: each.id, label: `${each.name} (${each.language})` }))}
            value={chosen ?? used?.id ?? null}
            onChange={setChosen}
            allowDeselect={false}
          />
        )}
        {approved.length > 0 && (
          <Button disabled={!chosen || chosen === used?.id} loading={saving.isPending} onClick={() => saving.mutate(chosen!)}>
            {t("Use it")}
          </Button>
        )}
        <Button variant="default" loading={looking.isPending} onClick={() => looking.mutate()}>
          {t("Ask Meta again")}
        </Button>
      </Group>
      {data && approved.length === 0 && (
        <Text size="sm" c="dimmed">
          {t("Meta names no approved template of this account yet. Without its Business Account ID, Meta cannot be asked.")}
        </Text>
      )}
    </Stack>
  );
}
