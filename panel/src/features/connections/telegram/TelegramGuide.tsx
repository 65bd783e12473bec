import { Button, Group } from "@mantine/core";
import { Link, useNavigate, useParams } from "react-router";
import { Guide } from "@/components/ui/Guide";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { useEnv } from "@/lib/env";
import { t } from "@/lib/t";
import { isDone, useProgress, works } from "../setup";
import { ChatsStep } from "./ChatsStep";
import { LinkStep } from "./LinkStep";
import { useMyChat } from "./myChat";
import { TestStep } from "./TestStep";
import { TokenStep } from "./TokenStep";

interface Props {
  /** Whether it becomes the person's own bot, or the project's. */
  own: boolean;
  /** The address of this guide; the id of the connection follows it once there is one. */
  base: string;
  /** Where one goes on from here. */
  done: (id: string) => string;
}

/** From a token of BotFather's to a test message in one's own chat. Where it stands is the server's to say. */
export function TelegramGuide({ own, base, done }: Props) {
  const { id } = useParams();
  const go = useNavigate();
  const { env } = useEnv();
  const { one, setup, error } = useProgress(id, ["people"]);
  const chat = useMyChat(works(one));
  const linked = works(one) && isDone(setup, "people") && chat !== undefined;
  return (
    <Section>
      {error && <Failed error={error} />}
      <Guide label={t("Connect a Telegram bot")}>
        <TokenStep key={one?.id} one={one} setup={setup} own={own} made={(made) => void go(`${base}/${made}`, { replace: true })} />
        <LinkStep one={one} linked={linked} sandbox={env === "test"} />
        <TestStep one={one} chat={linked ? chat : undefined} />
        {!own && <ChatsStep one={one} />}
      </Guide>
      {one && works(one) && (
        <Group>
          <Button component={Link} to={done(one.id)} variant={linked ? "filled" : "default"}>
            {linked ? t("Done") : t("Later")}
          </Button>
        </Group>
      )}
    </Section>
  );
}
