import { Button, Group, Progress as Bar, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { Link } from "react-router";
import { Figures } from "@/components/ui/Figures";
import { Section } from "@/components/ui/Page";
import { Failed } from "@/components/ui/States";
import { queries } from "@/lib/queries";
import { t } from "@/lib/t";
import type { Checked } from "./fields";
import { BEGUN, bring, type Progress, type Refused } from "./send";

/** Under way, stopped by something, or done: with what became of everybody. */
export function Run({ people, again }: { people: Checked[]; again: () => void }) {
  const [progress, setProgress] = useState(BEGUN);
  const running = useRun(people, progress, setProgress);
  const whole = progress.done >= people.length;
  const percent = (progress.done / people.length) * 100;
  return (
    <>
      <Section title={whole ? t("Done") : running.error ? t("Stopped") : t("Under way")}>
        <Stack gap="sm">
          <Bar value={percent} aria-label={t("People brought in")} animated={running.isPending} />
          <Text size="sm" c="dimmed" role="status">
            {t("{done} of {all}", { done: progress.done.toLocaleString(), all: people.length.toLocaleString() })}
          </Text>
          {running.error && <Failed error={running.error} />}
          <Group>
            {running.error && <Button onClick={() => running.mutate()}>{t("Go on")}</Button>}
            {whole && (
              <Button component={Link} to="/users">
                {t("To the people")}
              </Button>
            )}
            {!running.isPending && (
              <Button variant="default" onClick={again}>
                {t("Another file")}
              </Button>
            )}
          </Group>
        </Stack>
      </Section>
      <Figures
        figures={[
          [t("Added"), progress.created, t("were not known before")],
          [t("Updated"), progress.updated, t("were known by own id or e-mail")],
          [t("Refused"), progress.refused.length, progress.refused.length ? t("named below") : t("none so far")],
        ]}
      />
      {progress.refused.length > 0 && <Refusals refused={progress.refused} />}
    </>
  );
}

/** Begins by itself; ends with the page. */
function useRun(people: Checked[], progress: Progress, tell: (progress: Progress) => void) {
  const ended = useRef(new AbortController());
  const running = useMutation({
    mutationFn: () => bring(people, progress, tell, ended.current.signal),
    onSettled: () => queries.invalidateQueries({ queryKey: ["users"] }),
  });
  const { mutate } = running;
  useEffect(() => {
    const controller = new AbortController();
    ended.current = controller;
    mutate();
    return () => controller.abort();
  }, [mutate]);
  return running;
}

function Refusals({ refused }: { refused: Refused[] }) {
  return (
    <Section title={t("Refused by the server")}>
      <ul className="refusals">
        {refused.map(({ line, why }) => (
          <li key={line}>
            <strong>{t("Line {line}", { line })}</strong> {why}
          </li>
        ))}
      </ul>
    </Section>
  );
}
