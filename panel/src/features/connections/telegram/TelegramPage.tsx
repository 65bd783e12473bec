import { Guarded } from "@/components/ui/Guarded";
import { Page } from "@/components/ui/Page";
import { t } from "@/lib/t";
import { TelegramGuide } from "./TelegramGuide";

export function Component() {
  return (
    <Page title={t("Connect a Telegram bot")} lead={t("Four steps; each ticks itself.")} back={{ to: "/connections", label: t("Connections") }}>
      <Guarded by="connections:manage">
        <TelegramGuide own={false} base="/connections/telegram" done={(id) => `/connections/${id}`} />
      </Guarded>
    </Page>
  );
}
