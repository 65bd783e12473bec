import { Button, Group, Stack, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { IconCheck, IconCircle, IconSend } from "@/components/ui/icons";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { answered, api } from "@/lib/api";
import { t } from "@/lib/t";
import { isUnderWay } from "../events/progress";
import { RuleOutcome } from "../events/RuleOutcome";
import { sendEvent } from "../events/send";
import { CodeSamples } from "./CodeSamples";
import { payloadOf } from "./starters";

const LOOK_AGAIN_MS = 500;

/** Sends the event that the rule waits for, and ticks off what happens to it as it happens. */
export function WatchStep({ type, done }: { type: string; done: () => void }) {
  const payload = payloadOf(type);
  const sending = useMutation({ mutationFn: () => sendEvent(type, payload) });
  const id = sending.data?.id;
  const { data: story } = useQuery({
    queryKey: ["events", id],
    enabled: id !== undefined,
    queryFn: ({ signal }) => answered(api.GET("/api/v1/events/{event_id}", { params: { path: { event_id: id! } }, signal })),
    refetchInterval: ({ state }) => (!state.data || isUnderWay(state.data) ? LOOK_AGAIN_MS : false),
  });
  const matched = story?.trace.filter((rule) => rule.matched) ?? [];
  const deliveries = matched.flatMap((rule) => rule.deliveries);
  const arrived = deliveries.some((delivery) => delivery.state !== "queued" && delivery.state !== "leased");
  return (
    <>
      <Section>
        <Stack gap="sm">
          <Group>
            <Button leftSection={<IconSend size={16} aria-hidden />} loading={sending.isPending} onClick={() => sending.mutate()} variant={arrived ? "default" : "filled"}>
              {t("Send {type}", { type })}
            </Button>
            <Text size="sm" c="dimmed">
              {t("or send it from your own machine with the call below.")}
            </Text>
          </Group>
          {sending.error && <Failed error={sending.error} />}
          <div aria-live="polite">
            <Tick done={id !== undefined} text={t("Received and on disk")} />
            <Tick done={matched.length > 0} text={t("Your rule matched")} />
            <Tick done={arrived} text={t("Notification delivered to you")} />
          </div>
          {matched.map((rule) => (
            <div key={rule.ruleId} className="arrived">
              <RuleOutcome rule={rule} />
            </div>
          ))}
          {arrived && (
            <Group justify="flex-end">
              <Button onClick={done}>{t("To the panel")}</Button>
            </Group>
          )}
        </Stack>
      </Section>
      <Section title={t("From your backend")}>
        <CodeSamples type={type} payload={payload} />
      </Section>
    </>
  );
}

function Tick({ done, text }: { done: boolean; text: string }) {
  return (
    <div className="tick" data-done={done}>
      {done ? <IconCheck size={18} aria-label={t("done")} /> : <IconCircle size={18} aria-label={t("not yet")} />}
      {text}
    </div>
  );
}
