import { Alert, Button, Group, Switch, Text } from "@mantine/core";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { Failed } from "@/components/ui/States";
import type { Schemas } from "@/lib/api";
import { asProblem, type Problem } from "@/lib/problem";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { CLOCK_SAMPLE } from "./clock";
import { type Draft, draftOf } from "./draft";
import { type Editing, useEditing } from "./editing";
import { HoursPart } from "./HoursPart";
import { HowPart } from "./HowPart";
import { InsistPart } from "./InsistPart";
import { useKnown } from "./known";
import { MoreWordsPart } from "./MoreWordsPart";
import { ReplayDraft } from "./ReplayDraft";
import { RuleTrial } from "./RuleTrial";
import { TriggerPart } from "./TriggerPart";
import { WhoPart } from "./WhoPart";
import { WordsPart } from "./WordsPart";

type Rule = Schemas["RuleAnswer"];

interface Props {
  /** The saved rule, unless it is a new one. */
  rule: Rule | null;
  draft: Draft;
  /** Keeps the changes: of a new rule all of it. */
  save: (changes: Partial<Draft>, whole: Draft) => Promise<Rule>;
}

export function RuleForm({ rule, draft, save }: Props) {
  const form = useRef<HTMLFormElement>(null);
  const editing = useEditing(draft, rule?.version ?? 0);
  const { saving, problem, submit } = useSaving(editing, save);
  useEffect(() => {
    if (problem) requestAnimationFrame(() => form.current && showMistake(form.current));
  }, [problem]);
  return (
    <form ref={form} onSubmit={submit}>
      {editing.behind && <Behind editing={editing} draft={draft} version={rule?.version ?? 0} />}
      <Parts key={editing.version} editing={editing} rule={rule} />
      <SaveBar editing={editing} saving={saving} problem={problem} isNew={!rule} />
    </form>
  );
}

/** Goes to the first mistake, once the part that it is in has opened. */
function showMistake(form: HTMLElement) {
  const mistake = form.querySelector<HTMLElement>("[aria-invalid=true], [class*='mantine-'][class*='-error']");
  mistake?.scrollIntoView({ block: "center" });
  mistake?.focus({ preventScroll: true });
}

function useSaving(editing: Editing, save: Props["save"]) {
  const [saving, setSaving] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  async function submit(event: FormEvent) {
    event.preventDefault();
    setProblem(null);
    setSaving(true);
    try {
      const saved = await save(editing.changes, editing.values);
      editing.restart(draftOf(saved), saved.version);
    } catch (error) {
      const refusal = asProblem(error);
      editing.refuse(refusal);
      setProblem(refusal);
    } finally {
      setSaving(false);
    }
  }
  return { saving, problem, submit: (event: FormEvent) => void submit(event) };
}

function Parts({ editing, rule }: { editing: Editing; rule: Rule | null }) {
  const { values } = editing;
  const known = useKnown(values.clock ? CLOCK_SAMPLE.type : values.eventTypes[0], values.clock ? CLOCK_SAMPLE : undefined);
  return (
    <div className="rule-grid">
      <div>
        <TriggerPart rule={editing} types={known.types} fields={known.fields} />
        <WhoPart rule={editing} />
        <HowPart rule={editing} />
        <InsistPart rule={editing} />
        <HoursPart rule={editing} />
        <WordsPart rule={editing} />
        <MoreWordsPart rule={editing} />
      </div>
      <div className="rule-trial">
        <RuleTrial draft={values} sample={known.sample} />
        {rule && <ReplayDraft rule={rule} draft={values} edited={editing.dirty} />}
      </div>
    </div>
  );
}

function Behind({ editing, draft, version }: { editing: Editing; draft: Draft; version: number }) {
  return (
    <Alert className="notice" color="yellow" title={t("Somebody else has changed this rule")} mb="md" radius="lg">
      <Group justify="space-between">
        <Text size="sm">{t("Saving keeps their changes, except where you changed the same.")}</Text>
        <Button variant="default" size="xs" onClick={() => editing.restart(draft, version)}>
          {t("Drop mine, show theirs")}
        </Button>
      </Group>
    </Alert>
  );
}

interface SaveBarProps {
  editing: Editing;
  saving: boolean;
  problem: Problem | null;
  isNew: boolean;
}

/** Stays in sight, and says there what the server refused. */
function SaveBar({ editing, saving, problem, isNew }: SaveBarProps) {
  const may = useMay("rules:manage");
  if (!may) return null;
  return (
    <div className="save-bar">
      {problem && <Failed error={problem} />}
      <Button type="submit" loading={saving} disabled={!isNew && !editing.dirty}>
        {t("Save")}
      </Button>
      <Switch label={t("On")} checked={editing.values.active} onChange={({ currentTarget }) => editing.set({ active: currentTarget.checked })} />
      {!isNew && editing.dirty && (
        <Text size="sm" c="dimmed" role="status">
          {t("Not saved yet")}
        </Text>
      )}
    </div>
  );
}
