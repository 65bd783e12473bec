import { Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Badge } from "@/components/ui/Badge";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { tell } from "@/components/ui/told";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";
import type { Connection } from "./setup";
import { OF_PROJECT, type Store } from "./store";

/** Asks the provider whether the credentials work; with a target it also sends something there. */
export function Verify({ one, store = OF_PROJECT }: { one: Connection; store?: Store }) {
  const [target, setTarget] = useState("");
  const verifying = useMutation({
    mutationFn: () => store.verify(one.id, target ? { target } : {}),
    onSuccess: (answer) => {
      if (answer.verified) tell(t("The provider takes it."));
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["connections"] }),
  });
  const { data, error } = verifying;
  return (
    <Section title={t("Verify")}>
      <Stack gap="sm">
        <Group align="flex-end">
          <TextInput label={t("Send a test message to")} description={t("An address on this channel; empty only checks the credentials.")} value={target} onChange={({ currentTarget }) => setTarget(currentTarget.value)} style={{ flex: "1 1 260px" }} />
          <Button onClick={() => verifying.mutate()} loading={verifying.isPending} variant={one.verified ? "default" : "filled"}>
            {t("Verify")}
          </Button>
        </Group>
        {error && <Failed error={error} />}
        {data && (
          <Group gap="xs" role="status">
            <Badge state={data.status} />
            {data.testMessage && <Text size="sm">{t("A test message was sent.")}</Text>}
            {data.warnings?.map((warning) => (
              <Text key={warning} size="sm" c="dimmed">
                {warning}
              </Text>
            ))}
          </Group>
        )}
      </Stack>
    </Section>
  );
}
