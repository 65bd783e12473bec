import { Button } from "@mantine/core";
import { Link } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { IconPlug, IconPlus } from "@/components/ui/icons";
import { Listing } from "@/components/ui/Listing";
import { Page, Section } from "@/components/ui/Page";
import { Empty } from "@/components/ui/States";
import { When } from "@/components/ui/When";
import { answered, api } from "@/lib/api";
import { usePages } from "@/lib/queries";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { useTitles } from "./providers";

export function Component() {
  const may = useMay("connections:manage");
  const title = useTitles();
  const list = usePages(["connections", "list"], (cursor, signal) =>
    answered(api.GET("/api/v1/connections", { params: { query: { cursor } }, signal })),
  );
  const add = may && (
    <Button component={Link} to="/connections/new" leftSection={<IconPlus size={16} aria-hidden />}>
      {t("Connect a channel")}
    </Button>
  );
  return (
    <Page title={t("Connections")} lead={t("Your own accounts at providers, by which messages leave.")} actions={add}>
      <Section>
        <Listing
          label={t("Connections")}
          query={list}
          to={(one) => `/connections/${one.id}`}
          empty={
            <Empty icon={IconPlug} title={t("Nothing connected yet")} action={add}>
              {t("Realtime sockets work by themselves. Connect e-mail, a Telegram bot, WhatsApp, SMS, Slack or a webhook to reach people elsewhere.")}
            </Empty>
          }
          columns={[
            { name: t("Name"), cell: (one) => one.name },
            { name: t("Provider"), cell: (one) => title(one.provider) },
            { name: t("Owner"), width: 110, cell: (one) => <span className="chip">{one.owner}</span> },
            { name: t("Status"), width: 130, cell: (one) => <Badge state={one.status} /> },
            { name: t("Health"), width: 140, cell: (one) => <Badge state={one.healthStatus} /> },
            { name: t("Checked"), width: 130, cell: (one) => <span className="named"><When time={one.lastHealthCheck} /></span> },
          ]}
        />
      </Section>
    </Page>
  );
}
