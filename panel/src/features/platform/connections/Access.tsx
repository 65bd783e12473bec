import { Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation } from "@tanstack/react-query";
import { Facts } from "@/components/ui/Facts";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { asProblem } from "@/lib/problem";
import { t } from "@/lib/t";

/** A look into somebody's connection, on its owner's record: does the provider take it, and what has it carried. */
export function Access({ id }: { id: string }) {
  const form = useForm({ initialValues: { reason: "", target: "" } });
  const looking = useMutation({
    mutationFn: ({ reason, target }: typeof form.values) =>
      answered(api.POST("/api/v1/platform/connections/{connection_id}/access", { params: { path: { connection_id: id } }, body: { reason, ...(target && { target }) } })),
    onError: (error) => form.setErrors(asProblem(error).byField),
  });
  return (
    <Section title={t("Look into it")}>
      <form onSubmit={form.onSubmit((values) => looking.mutate(values))}>
        <Stack gap="sm">
          <Text size="sm" c="dimmed">
            {t("Asks the provider with its credentials, which stay hidden. The owner is told, with your reason.")}
          </Text>
          <Group align="flex-start">
            <TextInput label={t("Reason")} required style={{ flex: "2 1 260px" }} {...form.getInputProps("reason")} />
            <TextInput label={t("Test message to")} placeholder={t("nobody")} style={{ flex: "1 1 180px" }} {...form.getInputProps("target")} />
          </Group>
          <Group>
            <Button type="submit" variant="default" loading={looking.isPending}>
              {t("Look")}
            </Button>
          </Group>
          {looking.error && asProblem(looking.error).errors.length === 0 && <Failed error={looking.error} />}
          {looking.data && <Seen look={looking.data} />}
        </Stack>
      </form>
    </Section>
  );
}

function Seen({ look }: { look: Schemas["ConnectionLook"] }) {
  const { problem, account, statistics, testMessage, visit } = look;
  return (
    <div role="status">
      <Facts
        facts={[
          [t("The provider"), problem ?? t("takes it")],
          [t("Account"), account ? String(account["name"] ?? account["id"] ?? "–") : "–"],
          [t("Sent in 24 hours"), statistics.sent.toLocaleString()],
          [t("Failed"), statistics.failed.toLocaleString()],
          [t("Test message"), testMessage ? testMessage.status : t("none")],
          [t("On record until"), <When key="until" time={visit.expiresAt} />],
        ]}
      />
    </div>
  );
}
