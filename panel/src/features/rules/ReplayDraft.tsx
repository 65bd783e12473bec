import { Button, Drawer, Group, Progress, SegmentedControl, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";
import { IconRewind } from "@/components/ui/icons";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import type { Schemas } from "@/lib/api";
import { useMay } from "@/lib/session";
import { t, tn } from "@/lib/t";
import { type Draft, replayed } from "./draft";
import { share, useReplay } from "./replay";
import { ReplayFound } from "./ReplayFound";

interface Props {
  rule: Schemas["RuleAnswer"];
  draft: Draft;
  edited: boolean;
}

const HOUR_MS = 3_600_000;
const PERIODS = { hour: HOUR_MS, day: 24 * HOUR_MS, week: 7 * 24 * HOUR_MS, month: 30 * 24 * HOUR_MS };
type Period = keyof typeof PERIODS;

/** What the rule, as it stands in the form, would have made of events of the past, beside what it did make. */
export function ReplayDraft({ rule, draft, edited }: Props) {
  const mayManage = useMay("rules:manage");
  const mayRead = useMay("events:read");
  const [opened, { open, close }] = useDisclosure();
  if (!mayManage || !mayRead) return null;
  return (
    <Section title={t("Replay")}>
      <Stack gap="sm" align="flex-start">
        <Text size="sm" c="dimmed">
          {edited
            ? t("What would your changes have done with events of the past? Nothing is stored or sent.")
            : t("What would this rule do today with events of the past? Nothing is stored or sent.")}
        </Text>
        <Button variant="default" leftSection={<IconRewind size={16} aria-hidden />} onClick={open}>
          {t("Replay over the past")}
        </Button>
      </Stack>
      <Drawer opened={opened} onClose={close} position="right" size="lg" title={t("Replay over the past")}>
        <Replay rule={rule} draft={draft} edited={edited} />
      </Drawer>
    </Section>
  );
}

function Replay({ rule, draft, edited }: Props) {
  const [period, setPeriod] = useState<Period>("day");
  const { progress, start, goOn, stop } = useReplay(rule.id);
  const under = progress?.status === "running" || progress?.status === "stopping";
  const begin = () => {
    const to = Date.now();
    const draftNow = edited ? replayed(draft, rule.name) : null;
    start({ from: new Date(to - PERIODS[period]).toISOString(), to: new Date(to).toISOString(), rule: draftNow });
  };
  return (
    <Stack>
      <Text size="sm" c="dimmed">
        {edited ? t("The rule with your changes, beside what was told then.") : t("The rule as it is now, beside what was told then.")}{" "}
        {t("People and roles are those of today; whom an escalation told is left out.")}
      </Text>
      <Group justify="space-between">
        <SegmentedControl
          size="xs"
          aria-label={t("How far back")}
          disabled={under}
          value={period}
          onChange={(chosen) => setPeriod(chosen as Period)}
          data={[
            { value: "hour", label: t("Last hour") },
            { value: "day", label: t("Day") },
            { value: "week", label: t("7 days") },
            { value: "month", label: t("30 days") },
          ]}
        />
        {under ? (
          <Button variant="default" loading={progress.status === "stopping"} onClick={stop}>
            {t("Stop")}
          </Button>
        ) : (
          <Button onClick={begin}>{progress ? t("Again") : t("Start")}</Button>
        )}
      </Group>
      {progress && (
        <>
          <Progress value={share(progress)} animated={under} aria-label={t("How much of the time has been looked at")} />
          <Group justify="space-between">
            <Text size="sm" c="dimmed" role="status">
              {progress.status === "done" ? tn(progress.found.counts.events, "Done: 1 event", "Done: {n} events") : tn(progress.found.counts.events, "1 event so far", "{n} events so far")}
            </Text>
            {progress.status === "stopped" && (
              <Button variant="default" size="compact-sm" onClick={goOn}>
                {t("Go on")}
              </Button>
            )}
          </Group>
          {progress.problem && <Failed error={progress.problem} />}
          {progress.found.counts.events > 0 && <ReplayFound found={progress.found} />}
          {progress.status === "done" && progress.found.counts.events === 0 && (
            <Text size="sm">{rule.clock && draft.clock ? t("Its clock did not run in that time.") : t("No event of these types came in that time.")}</Text>
          )}
        </>
      )}
    </Stack>
  );
}
