import { Button, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { Step } from "@/components/ui/Guide";
import { Failed } from "@/components/ui/States";
import { t } from "@/lib/t";
import { type Connection, verified } from "../setup";

/** The proof: a message in the chat that was linked a moment ago. */
export function TestStep({ one, chat }: { one: Connection | undefined; chat: string | undefined }) {
  const sending = useMutation({ mutationFn: () => verified(one!.id, { target: chat }) });
  const sent = sending.data?.testMessage;
  return (
    <Step title={t("Get a test message")} standing={sent ? "done" : chat ? "now" : "later"}>
      <Stack gap="sm" align="flex-start">
        {sent && (
          <Text size="sm" role="status">
            {t("Telegram took it. It is in your chat.")}
          </Text>
        )}
        {sending.error && <Failed error={sending.error} />}
        <Button onClick={() => sending.mutate()} loading={sending.isPending} variant={sent ? "default" : "filled"}>
          {sent ? t("Send another") : t("Send me a test message")}
        </Button>
      </Stack>
    </Step>
  );
}
