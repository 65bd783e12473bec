import { Alert, Stack, Text } from "@mantine/core";
import { Awaiting, Step } from "@/components/ui/Guide";
import type { Schemas } from "@/lib/api";
import { t } from "@/lib/t";
import type { Connection } from "../setup";

interface Props {
  one: Connection | undefined;
  setup: Schemas["SetupAnswer"] | undefined;
  ready: boolean;
  done: boolean;
}

/** What people write, and what becomes of messages, arrives only once the fields are subscribed. */
export function HeardStep({ setup, ready, done }: Props) {
  return (
    <Step title={t("Subscribe, and write to the number")} standing={done ? "done" : ready ? "now" : "later"}>
      {done ? (
        <Text size="sm">{t("What is written to the number arrives.")}</Text>
      ) : (
        <Stack gap="sm">
          <Text size="sm">
            {t("On the same page subscribe the fields")} <code>messages</code>, <code>message_template_status_update</code> {t("and")} <code>template_category_update</code>.{" "}
            {t("Then send the number any message from your phone: for 24 hours it may answer you freely.")}
          </Text>
          {setup?.foreignAccount && (
            <Alert className="notice" color="yellow" radius="lg">
              <Text size="sm">{t("Meta tells of another phone number ID, {id}. Is it the one that you meant?", { id: setup.foreignAccount.account })}</Text>
            </Alert>
          )}
          <Awaiting>{t("Waiting for your message …")}</Awaiting>
        </Stack>
      )}
    </Step>
  );
}
