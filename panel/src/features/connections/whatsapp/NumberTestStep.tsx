import { Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Step } from "@/components/ui/Guide";
import { Failed } from "@/components/ui/States";
import { asProblem } from "@/lib/problem";
import { useSession } from "@/lib/session";
import { t } from "@/lib/t";
import { type Connection, verified, works } from "../setup";

/** A message to one's own phone, by the same way that notifications will take. */
export function NumberTestStep({ one }: { one: Connection | undefined }) {
  const phone = useSession((session) => session.me!.user.phone);
  const [target, setTarget] = useState(phone ?? "");
  const sending = useMutation({ mutationFn: () => verified(one!.id, { target: target.trim() }) });
  const sent = sending.data?.testMessage;
  const wrong = sending.error && asProblem(sending.error).byField.target;
  return (
    <Step title={t("Get a test message")} standing={sent ? "done" : works(one) ? "open" : "later"}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          sending.mutate();
        }}
      >
        <Stack gap="sm">
          <Group align="flex-end">
            <TextInput label={t("Your WhatsApp number")} type="tel" placeholder="+436601234567" required error={wrong} value={target} onChange={({ currentTarget }) => setTarget(currentTarget.value)} style={{ flex: "1 1 220px" }} />
            <Button type="submit" loading={sending.isPending} variant={sent ? "default" : "filled"}>
              {sent ? t("Send another") : t("Send a test message")}
            </Button>
          </Group>
          {sending.error && !wrong && <Failed error={sending.error} />}
          {sent && (
            <Text size="sm" role="status">
              {t("Meta took it. It is on your phone in a moment.")}
            </Text>
          )}
        </Stack>
      </form>
    </Step>
  );
}
