import { OwnPage } from "../me/OwnPage";
import { t } from "@/lib/t";
import { Email } from "./Email";
import { Password } from "./Password";
import { SecondFactor } from "./SecondFactor";
import { Sessions } from "./Sessions";

export function Component() {
  return (
    <OwnPage title={t("Security")} lead={t("How you sign in, and where you are signed in.")}>
      <SecondFactor />
      <Password />
      <Email />
      <Sessions />
    </OwnPage>
  );
}
