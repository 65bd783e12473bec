import { Alert, Stack, Text } from "@mantine/core";
import { Id } from "@/components/ui/Code";
import { Awaiting, Step } from "@/components/ui/Guide";
import type { Schemas } from "@/lib/api";
import { t } from "@/lib/t";
import { type Connection, works } from "../setup";

interface Props {
  one: Connection | undefined;
  setup: Schemas["SetupAnswer"] | undefined;
  done: boolean;
}

/** Two values for Meta. It calls the moment they are saved there, and that is what ticks this. */
export function CallbackStep({ one, setup, done }: Props) {
  return (
    <Step title={t("Give Meta our address")} standing={done ? "done" : works(one) ? "now" : "later"}>
      {done ? <Text size="sm">{t("Meta has called and was answered.")}</Text> : setup?.address ? <Values address={setup.address} token={setup.verifyToken} /> : <Unreachable />}
    </Step>
  );
}

function Values({ address, token }: { address: string; token: string | null }) {
  return (
    <Stack gap="sm">
      <Text size="sm">{t("In the app, under WhatsApp → Configuration → Webhook → Edit, paste these two and press Verify and save.")}</Text>
      <dl className="paste">
        <div>
          <dt>{t("Callback URL")}</dt>
          <dd>
            <Id value={address} />
          </dd>
        </div>
        {token && (
          <div>
            <dt>{t("Verify token")}</dt>
            <dd>
              <Id value={token} />
            </dd>
          </div>
        )}
      </dl>
      <Awaiting>{t("Waiting for Meta's call …")}</Awaiting>
    </Stack>
  );
}

function Unreachable() {
  return (
    <Alert className="notice" color="yellow" radius="lg" title={t("Meta cannot reach this installation")}>
      <Text size="sm">{t("It has no public address. Whoever runs it sets TOCSIN_PUBLIC_URL, with HTTPS. Messages leave without it; what people answer does not arrive.")}</Text>
    </Alert>
  );
}
