import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useNavigate } from "react-router";
import { Badge } from "@/components/ui/Badge";
import { IconPlus, IconWebhook } from "@/components/ui/icons";
import { Listing } from "@/components/ui/Listing";
import { Lacking } from "@/components/ui/NoRoom";
import { Page, Section } from "@/components/ui/Page";
import { Empty } from "@/components/ui/States";
import { When } from "@/components/ui/When";
import { answered, api } from "@/lib/api";
import { handOver } from "@/lib/handed";
import { useLack } from "@/lib/plan";
import { usePages } from "@/lib/queries";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { NewEndpoint } from "./NewEndpoint";

export function Component() {
  const go = useNavigate();
  const may = useMay("webhooks:manage");
  const lack = useLack("webhooks");
  const [opened, { open, close }] = useDisclosure();
  const made = (id: string, secret: string | null) => {
    handOver(id, secret);
    go(`/webhooks/${id}`);
  };
  const list = usePages(["webhooks", "list"], (cursor, signal) =>
    answered(api.GET("/api/v1/webhook-endpoints", { params: { query: { cursor } }, signal })),
  );
  const add = may && !lack && (
    <Button onClick={open} leftSection={<IconPlus size={16} aria-hidden />}>
      {t("Add an endpoint")}
    </Button>
  );
  return (
    <Page title={t("Webhooks")} lead={t("Your backend hears what happens here: delivered, failed, acknowledged.")} actions={add}>
      {may && lack && <Lacking lack={lack} />}
      <Section>
        <Listing
          label={t("Webhook endpoints")}
          query={list}
          to={(one) => `/webhooks/${one.id}`}
          empty={
            <Empty icon={IconWebhook} title={t("No endpoints yet")} action={add}>
              {t("An endpoint is an address of yours that is called, signed, whenever something happens. To send notifications to your backend, connect a webhook as a channel instead.")}
            </Empty>
          }
          columns={[
            { name: t("Address"), cell: (one) => one.url },
            { name: t("Hears"), cell: (one) => one.eventTypes.map((type) => <span key={type} className="chip">{type}</span>) },
            { name: t("Status"), width: 110, cell: (one) => <Badge state={one.status} /> },
            { name: t("Last success"), width: 130, cell: (one) => <When time={one.lastSuccessAt} never={t("never")} /> },
          ]}
        />
      </Section>
      <NewEndpoint opened={opened} close={close} made={made} />
    </Page>
  );
}
