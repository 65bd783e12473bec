import { Button, Group } from "@mantine/core";
import { Link, useNavigate, useParams } from "react-router";
import { Guarded } from "@/components/ui/Guarded";
import { Guide } from "@/components/ui/Guide";
import { Page, Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { t } from "@/lib/t";
import { useProgress, works } from "../setup";
import { AccountStep } from "./AccountStep";
import { CallbackStep } from "./CallbackStep";
import { HeardStep } from "./HeardStep";
import { NumberTestStep } from "./NumberTestStep";
import { TemplateStep } from "./TemplateStep";

/** Which of the server's steps says what (`channels/whatsapp/channel.py`). */
const LED = 3;
const HEARD = 4;
const APPROVED = 5;

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
  const { one, setup, error } = useProgress(id, (steps) => steps[LED] === true && steps[HEARD] === true);
  const done = (step: number) => works(one) && setup?.steps[step]?.done === true;
  return (
    <Section>
      {error && <Failed error={error} />}
      <Guide label={t("Connect a WhatsApp number")}>
        <AccountStep key={one?.id} one={one} made={(made) => void go(`/connections/whatsapp/${made}`, { replace: true })} />
        <CallbackStep one={one} setup={setup} done={done(LED)} />
        <HeardStep one={one} setup={setup} ready={done(LED)} done={done(HEARD)} />
        <TemplateStep one={one} done={done(APPROVED)} />
        <NumberTestStep one={one} />
      </Guide>
      {one && works(one) && (
        <Group>
          <Button component={Link} to={`/connections/${one.id}`} variant={done(LED) && done(APPROVED) ? "filled" : "default"}>
            {done(LED) && done(APPROVED) ? t("Done") : t("Later")}
          </Button>
        </Group>
      )}
    </Section>
  );
}
