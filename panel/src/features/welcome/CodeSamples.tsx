import { Button, Group, Tabs, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { CodeBlock } from "@/components/ui/Code";
import { IconKey } from "@/components/ui/icons";
import { tellProblem } from "@/components/ui/told";
import { answered, api } from "@/lib/api";
import { queries } from "@/lib/queries";
import { useMay, useSession } from "@/lib/session";
import { t } from "@/lib/t";
import { samples, type Call } from "./samples";

const NO_SECRET = "sk_test_...";

/** The call that sends this event, with the reader's own test key. A live secret is never put into a sample. */
export function CodeSamples({ type, payload }: Pick<Call, "type" | "payload">) {
  const mayMake = useMay("keys:manage");
  const shown = useSession((session) => session.testKey);
  const key = useTestKey();
  const making = useMutation({
    mutationFn: () =>
      answered(api.POST("/api/v1/projects/me/api-keys", { body: { name: t("Samples"), permissions: ["events:write", "events:read"], env: "test" } })),
    onSuccess: async ({ id, key: made, secret }) => {
      useSession.setState({ testKey: { id, key: made, secret } });
      await queries.invalidateQueries({ queryKey: ["keys"] });
    },
    onError: tellProblem,
  });
  const call: Call = { url: location.origin, key: shown?.key ?? key ?? "pk_test_...", secret: shown?.secret ?? NO_SECRET, type, payload };
  const all = samples(call);
  return (
    <>
      <Tabs defaultValue={all[0]!.language} variant="pills" radius="md">
        <Tabs.List mb="sm">
          {all.map(({ language }) => (
            <Tabs.Tab key={language} value={language}>
              {language}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {all.map(({ language, text }) => (
          <Tabs.Panel key={language} value={language}>
            <CodeBlock text={text} label={language} />
          </Tabs.Panel>
        ))}
      </Tabs>
      {shown ? (
        <Text size="xs" c="dimmed" mt="xs">
          {t("With your own test key. Its secret is on this page once; nothing it sends leaves this machine.")}
        </Text>
      ) : (
        mayMake && (
          <Group mt="xs" gap="xs">
            <Button size="compact-sm" variant="default" leftSection={<IconKey size={14} aria-hidden />} loading={making.isPending} onClick={() => making.mutate()}>
              {t("Put a test key in")}
            </Button>
            <Text size="xs" c="dimmed">
              {t("Secrets cannot be shown again, so this makes a new key.")}
            </Text>
          </Group>
        )
      )}
    </>
  );
}

/** The public half of a test key in use. */
function useTestKey(): string | undefined {
  const may = useMay("keys:manage");
  const { data } = useQuery({
    queryKey: ["keys", "test"],
    enabled: may,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/projects/me/api-keys", { params: { query: { limit: 50 } }, signal })),
  });
  return data?.items.find((each) => each.env === "test" && each.status === "active")?.key;
}
