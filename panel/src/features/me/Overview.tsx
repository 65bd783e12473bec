import { useMe } from "./me";
import { Addresses } from "./Addresses";
import { OwnConnections } from "./OwnConnections";
import { OwnPage } from "./OwnPage";
import { Waiting } from "./Waiting";
import { t } from "@/lib/t";

export function Component() {
  const me = useMe();
  return (
    <OwnPage title={me.name ?? t("My page")} lead={t("What waits for you, and where you are reached.")}>
      <Waiting />
      <Addresses />
      <OwnConnections />
    </OwnPage>
  );
}
