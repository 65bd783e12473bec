import { Button, Group, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { Badge } from "@/components/ui/Badge";
import { Section } from "@/components/ui/Page";
import { When } from "@/components/ui/When";
import { answered, api } from "@/lib/api";
import { reread, useSession } from "@/lib/session";
import { t, tn } from "@/lib/t";
import { Enrol } from "./Enrol";
import { ProofForm } from "./ProofForm";
import { RecoveryCodes } from "./RecoveryCodes";

const FEW = 3;

type Doing = "enrol" | "renew" | "disable" | null;

export function SecondFactor() {
  const { enabled, required } = useSession((session) => session.me!.secondFactor);
  const [doing, setDoing] = useState<Doing>(null);
  const [codes, setCodes] = useState<string[] | null>(null);
  const finished = async (shown: string[] | null) => {
    setDoing(null);
    setCodes(shown);
    await reread();
  };
  return (
    <Section title={t("Second factor")} aside={<Badge state={enabled ? "active" : "off"}>{enabled ? t("On") : t("Off")}</Badge>}>
      {codes && <RecoveryCodes codes={codes} kept={() => setCodes(null)} />}
      {doing === "enrol" && <Enrol done={finished} cancel={() => setDoing(null)} />}
      {doing === "renew" && (
        <ProofForm
          act={t("Make new codes")}
          send={async (body) => finished((await answered(api.POST("/api/v1/auth/2fa/recovery-codes", { body }))).recoveryCodes)}
          cancel={() => setDoing(null)}
        />
      )}
      {doing === "disable" && (
        <ProofForm
          act={t("Turn it off")}
          send={async (body) => {
            await answered(api.POST("/api/v1/auth/2fa/disable", { body }));
            await finished(null);
          }}
          cancel={() => setDoing(null)}
        />
      )}
      {doing === null && !codes && (enabled ? <On renew={() => setDoing("renew")} disable={() => setDoing("disable")} /> : <Off required={required} begin={() => setDoing("enrol")} />)}
    </Section>
  );
}

function Off({ required, begin }: { required: boolean; begin: () => void }) {
  return (
    <Stack gap="sm" align="flex-start">
      <Text size="sm">
        {required
          ? t("Your project requires it. Until it is set up, nothing else is open to you.")
          : t("With it a stolen password opens nothing: signing in takes six digits of an app on your phone as well.")}
      </Text>
      <Button onClick={begin}>{t("Set it up")}</Button>
    </Stack>
  );
}

function On({ renew, disable }: { renew: () => void; disable: () => void }) {
  const { since, recoveryCodesLeft, required } = useSession((session) => session.me!.secondFactor);
  return (
    <Stack gap="sm">
      <Text size="sm">
        {t("Signing in takes your password and a code of your app. Set up")} <When time={since} />. {tn(recoveryCodesLeft, "1 recovery code is left.", "{n} recovery codes are left.")}
      </Text>
      <Group gap="xs">
        <Button variant={recoveryCodesLeft <= FEW ? "filled" : "default"} onClick={renew}>
          {t("New recovery codes")}
        </Button>
        {!required && (
          <Button variant="subtle" color="gray" onClick={disable}>
            {t("Turn it off")}
          </Button>
        )}
      </Group>
    </Stack>
  );
}
