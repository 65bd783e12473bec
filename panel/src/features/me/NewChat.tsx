import { Button, Stack } from "@mantine/core";
import { useEffect, useState } from "react";
import { tell } from "@/components/ui/told";
import { t } from "@/lib/t";
import { TelegramLink } from "../connections/telegram/LinkStep";
import { type Address, useAddresses } from "./ways";

const LOOK_AGAIN_MS = 2_000;

/** A link to the bot that sends for this person; the list shows the chat as soon as Start was pressed there. */
export function NewChat({ close }: { close: () => void }) {
  const { data, refetch } = useAddresses();
  const [before] = useState(() => linkings(data));
  useEffect(() => {
    const timer = setInterval(() => void refetch(), LOOK_AGAIN_MS);
    return () => clearInterval(timer);
  }, [refetch]);
  useEffect(() => {
    if (linkings(data) === before) return;
    tell(t("Telegram is linked."));
    close();
  }, [data, before, close]);
  return (
    <Stack gap="sm" w="100%" align="flex-start">
      <TelegramLink />
      <Button size="xs" variant="default" onClick={close}>
        {t("Cancel")}
      </Button>
    </Stack>
  );
}

/** Which chats were linked when: linking one again counts too. */
function linkings(addresses: Address[] | undefined): string {
  const chats = (addresses ?? []).filter((each) => each.channel === "telegram");
  return chats.map((each) => `${each.value} ${each.verifiedAt}`).join();
}
