import { Page } from "@/components/ui/Page";
import { t } from "@/lib/t";
import { TelegramGuide } from "../connections/telegram/TelegramGuide";

export function Component() {
  return (
    <Page title={t("My own bot")} lead={t("It writes to you alone. Three steps; each ticks itself.")} back={{ to: "/me", label: t("My page") }}>
      <TelegramGuide own base="/me/telegram" done={() => "/me"} />
    </Page>
  );
}
