import { Box } from "@mantine/core";
import { Page } from "@/components/ui/Page";
import { t } from "@/lib/t";
import { Email } from "../../security/Email";
import { Password } from "../../security/Password";
import { SecondFactor } from "../../security/SecondFactor";
import { Sessions } from "../../security/Sessions";

/** An admin's own account. It leads into every project, so nobody needs a second factor more. */
export function Component() {
  return (
    <Page title={t("Security")} lead={t("How you sign in to the platform, and where you are signed in.")}>
      <Box className="own-page">
        <SecondFactor />
        <Password />
        <Email />
        <Sessions />
      </Box>
    </Page>
  );
}
