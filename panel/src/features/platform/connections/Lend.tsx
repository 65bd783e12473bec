import { Guarded } from "@/components/ui/Guarded";
import { t } from "@/lib/t";
import { Connecting } from "../../connections/NewConnection";
import type { Provider } from "../../connections/providers";
import { OF_PLATFORM } from "./lent";

export function Component() {
  return (
    <Guarded by="platform:settings">
      <Connecting title={t("Lend a connection")} lead={t("It sends for projects that have none of their own on its channel, and do not decline.")} store={OF_PLATFORM} fits={lendable} />
    </Guarded>
  );
}

/** The server lends nothing that reaches a project. A bot of Telegram could be lent, but nobody of a project can be linked to it. */
function lendable({ reaches, provider }: Provider): boolean {
  return reaches === "person" && provider !== "telegram";
}
