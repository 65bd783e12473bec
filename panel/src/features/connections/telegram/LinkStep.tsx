import { Anchor, Button, Group, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { Awaiting, Step } from "@/components/ui/Guide";
import { IconTelegram } from "@/components/ui/icons";
import { Qr } from "@/components/ui/Qr";
import { Failed } from "@/components/ui/States";
import { When } from "@/components/ui/When";
import { answered, api, type Schemas } from "@/lib/api";
import { useSession } from "@/lib/session";
import { t } from "@/lib/t";
import { type Connection, works } from "../setup";

type Made = Schemas["ChatLinkAnswer"];

interface Props {
  one: Connection | undefined;
  linked: boolean;
  sandbox: boolean;
}

/** A bot cannot begin a talk. The person opens it by a link of their own, and the page notices. */
export function LinkStep({ one, linked, sandbox }: Props) {
  return (
    <Step title={t("Say hello to it")} standing={linked ? "done" : works(one) ? "now" : "later"}>
      {linked ? (
        <Text size="sm">{t("Your chat with the bot is linked to you.")}</Text>
      ) : sandbox ? (
        <Text size="sm">{t("In Test nothing goes to Telegram. Switch to Live to link a chat.")}</Text>
      ) : (
        <TelegramLink connectionId={one?.id} />
      )}
    </Step>
  );
}

/** The link that makes a chat this person's, as text to click and as picture to scan. */
export function TelegramLink({ connectionId }: { connectionId?: string }) {
  const id = useSession((session) => session.me!.user.id);
  const making = useMutation({
    mutationFn: () => answered(api.POST("/api/v1/users/{user_id}/addresses/telegram/link", { params: { path: { user_id: id } }, body: { connectionId } })),
  });
  if (making.data) return <Shown made={making.data} />;
  return (
    <Stack gap="sm" align="flex-start">
      <Text size="sm">{t("A bot writes to nobody who has not started it. Open it by your own link and press Start.")}</Text>
      {making.error && <Failed error={making.error} />}
      <Button onClick={() => making.mutate()} loading={making.isPending} leftSection={<IconTelegram size={16} aria-hidden />}>
        {t("Show my link")}
      </Button>
    </Stack>
  );
}

function Shown({ made }: { made: Made }) {
  return (
    <div className="scan">
      <Qr value={made.url} label={t("Link to {bot} for your phone", { bot: made.bot })} />
      <div>
        <Stack gap="sm">
          <Text size="sm">{t("Scan it with the phone that has Telegram, or open it here, and press Start.")}</Text>
          <Group>
            <Button component="a" href={made.url} target="_blank" rel="noreferrer" leftSection={<IconTelegram size={16} aria-hidden />}>
              {t("Open {bot}", { bot: made.bot })}
            </Button>
          </Group>
          <Awaiting>{t("Waiting for your Start …")}</Awaiting>
          <Text size="xs" c="dimmed">
            {t("For you alone, good once; it ends")} <When time={made.expiresAt} />{" "}
            <Anchor underline="always" href={made.url} size="xs" style={{ overflowWrap: "anywhere" }}>
              {made.url}
            </Anchor>
          </Text>
        </Stack>
      </div>
    </div>
  );
}
