import { Button, Group } from "@mantine/core";
import { Link, useNavigate, useParams } from "react-router";
import { Guarded } from "@/components/ui/Guarded";
import { Guide } from "@/components/ui/Guide";
import { Page, Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { t } from "@/lib/t";
import { isDone, useProgress, works } from "../setup";
import { AccountStep } from "./AccountStep";
import { CallbackStep } from "./CallbackStep";
import { HeardStep } from "./HeardStep";
import { NumberTestStep } from "./NumberTestStep";
import { TemplateStep } from "./TemplateStep";

export function Component() {
  return (
    <Page title={t("Connect a WhatsApp number")} lead={t("Through Meta's Cloud API, with a number of your own. Each step ticks itself.")} back={{ to: "/connections", label: t("Connections") }}>
      <Guarded by="connections:manage">
        <WhatsAppGuide />
      </Guarded>
    </Page>
  );
}

function WhatsAppGuide() {
  const { id } = useParams();
  const go = useNavigate();
  const { one, setup, error } = useProgress(id, ["callback", "subscribe"]);
  const done = (step: string) => works(one) && isDone(setup, step);
  return (
    <Section>
      {error && <Failed error={error} />}
      <Guide label={t("Connect a WhatsApp number")}>
        <AccountStep key={one?.id} one={one} made={(made) => void go(`/connections/whatsapp/${made}`, { replace: true })} />
        <CallbackStep one={one} setup={setup} done={done("callback")} />
        <HeardStep one={one} setup={setup} ready={done("callback")} done={done("subscribe")} />
        <TemplateStep one={one} done={done("template")} />
        <NumberTestStep one={one} />
      </Guide>
      {one && works(one) && (
        <Group>
          <Button component={Link} to={`/connections/${one.id}`} variant={done("callback") && done("template") ? "filled" : "default"}>
            {done("callback") && done("template") ? t("Done") : t("Later")}
          </Button>
        </Group>
      )}
    </Section>
  );
}
