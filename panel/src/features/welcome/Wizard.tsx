import { Anchor, Group, Stepper, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { useEffect, useState } from "react";
import { useNavigate } from "react-router";
import { BrandMark } from "@/components/brand/BrandMark";
import { useEnv } from "@/lib/env";
import { listen } from "@/lib/live";
import { useMay, useSession } from "@/lib/session";
import { t } from "@/lib/t";
import { ChannelStep } from "./ChannelStep";
import { NameStep } from "./NameStep";
import { RuleStep } from "./RuleStep";
import { WatchStep } from "./WatchStep";

/** The first minutes: a name, a channel, a rule, and an event that is watched as it arrives. In the sandbox. */
export function Component() {
  useDocumentTitle(t("Welcome"));
  const go = useNavigate();
  const [step, setStep] = useState(0);
  const [type, setType] = useState("order.created");
  const next = () => setStep((now) => now + 1);
  useSandbox();
  return (
    <main className="door" style={{ placeItems: "start center" }}>
      <div className="wizard" style={{ width: "100%" }}>
        <Group justify="space-between" mb="xl" mt="md">
          <BrandMark />
          <Anchor component="button" size="sm" onClick={() => go("/")}>
            {t("Later")}
          </Anchor>
        </Group>
        <Title order={1} size="h2" mb={4}>
          {t("Four steps to the first notification")}
        </Title>
        <Text c="dimmed" mb="lg">
          {t("All of it in Test, where nothing leaves this machine.")}
        </Text>
        <Stepper active={step} onStepClick={setStep} allowNextStepsSelect={false} size="sm">
          <Stepper.Step label={t("Name")}>
            <NameStep next={next} />
          </Stepper.Step>
          <Stepper.Step label={t("Channel")}>
            <ChannelStep next={next} />
          </Stepper.Step>
          <Stepper.Step label={t("Rule")}>
            <RuleStep
              next={(made) => {
                setType(made);
                next();
              }}
            />
          </Stepper.Step>
          <Stepper.Step label={t("Watch")}>
            <WatchStep type={type} done={() => go("/")} />
          </Stepper.Step>
        </Stepper>
      </div>
    </main>
  );
}

function useSandbox(): void {
  const me = useSession((session) => session.me);
  const wholeProject = useMay("realtime:read");
  const { env, choose } = useEnv();
  useEffect(() => choose("test"), [choose]);
  useEffect(() => (me && env === "test" ? listen(me.user.id, me.project.id, wholeProject) : undefined), [me, env, wholeProject]);
}
