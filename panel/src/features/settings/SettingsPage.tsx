import { Alert, Text } from "@mantine/core";
import { Link, useParams } from "react-router";
import { IconAlert } from "@/components/ui/icons";
import { Page } from "@/components/ui/Page";
import { useSession } from "@/lib/session";
import { t } from "@/lib/t";
import { exact } from "@/lib/when";
import { Branding } from "./Branding";
import { Domain } from "./Domain";
import { General } from "./General";
import { Invitations } from "./Invitations";
import { Ownership } from "./Ownership";
import { Privacy } from "./Privacy";
import { useProject } from "./project";
import { Security } from "./Security";
import { SingleSignOn } from "./SingleSignOn";

const TABS = [
  { tab: "general", name: t("General"), needs: "project:read", Part: General },
  { tab: "branding", name: t("Branding"), needs: "project:read", Part: Branding },
  { tab: "domain", name: t("Domain"), needs: "project:read", Part: Domain },
  { tab: "security", name: t("Security"), needs: "project:read", Part: Security },
  { tab: "sso", name: t("Single sign-on"), needs: "project:read", Part: SingleSignOn },
  { tab: "invitations", name: t("Invitations"), needs: "users:read", Part: Invitations },
  { tab: "privacy", name: t("Privacy"), needs: "project:read", Part: Privacy },
  { tab: "ownership", name: t("Ownership"), needs: "project:delete", Part: Ownership },
];

export function Component() {
  const { tab = "general" } = useParams();
  const permissions = useSession((session) => session.me?.permissions ?? []);
  const tabs = TABS.filter(({ needs }) => permissions.includes(needs));
  const shown = tabs.find((each) => each.tab === tab) ?? tabs[0];
  return (
    <Page title={t("Settings")} lead={t("What holds for the whole project, in Live and in Test.")}>
      <nav className="tabs" aria-label={t("Settings")}>
        {tabs.map((each) => (
          <Link key={each.tab} ref={each === shown ? intoView : undefined} to={`/settings/${each.tab}`} className="tab" aria-current={each === shown ? "page" : undefined}>
            {each.name}
          </Link>
        ))}
      </nav>
      <Cancelled />
      {shown && <shown.Part />}
    </Page>
  );
}

/** On a phone the tabs reach beyond the screen. */
function intoView(tab: HTMLElement | null): void {
  tab?.scrollIntoView({ block: "nearest", inline: "center" });
}

function Cancelled() {
  const { data } = useProject();
  if (data?.status !== "cancelled") return null;
  return (
    <Alert color="red" icon={<IconAlert aria-hidden />} radius="lg" mb="md" title={t("This project is cancelled")}>
      <Text size="sm">
        {data.purgeAt ? t("Nothing can be changed any more, and on {when} all of it is removed for good.", { when: exact(data.purgeAt) }) : t("Nothing can be changed any more.")}{" "}
        {t("An owner can take it back under Ownership.")}
      </Text>
    </Alert>
  );
}
