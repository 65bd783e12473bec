import { ActionIcon, Button, MultiSelect, NumberInput, Switch, Text } from "@mantine/core";
import { Duration } from "@/components/ui/Duration";
import { Fold } from "@/components/ui/Fold";
import { IconPlus, IconTrash } from "@/components/ui/icons";
import { useMay } from "@/lib/session";
import { t } from "@/lib/t";
import { PeopleField } from "../users/PersonField";
import { useRoles } from "../users/roles";
import type { Draft } from "./draft";
import type { Editing } from "./editing";
import { Fields, Option } from "./Fields";
import { insistLine } from "./summary";

type Step = NonNullable<Draft["escalation"]>[number];

const REPEAT = { everySeconds: 300, maxTimes: 3 };
const STEP: Step = { afterSeconds: 600, roles: [], users: [] };
const MOST_STEPS = 10;
const NO_INSISTENCE = { requireAck: false, repeat: null, escalation: null, escalationLoops: 1 };

/** Whether somebody has to say "mine", and what happens until then. */
export function InsistPart({ rule }: { rule: Editing }) {
  const { values, set, error } = rule;
  const wrong = ["requireAck", "repeat", "escalation", "escalationLoops"].some((name) => error(name));
  return (
    <Fold title={t("Insist")} summary={insistLine(values)} opened={values.requireAck} wrong={wrong}>
      <Fields>
        <Switch
          label={t("Somebody has to acknowledge")}
          checked={values.requireAck}
          error={error("requireAck")}
          onChange={({ currentTarget: { checked } }) => set(checked ? { requireAck: true } : NO_INSISTENCE)}
        />
        {values.requireAck && (
          <>
            <Repetition rule={rule} />
            <Escalation rule={rule} />
          </>
        )}
      </Fields>
    </Fold>
  );
}

function Repetition({ rule: { values, set, error } }: { rule: Editing }) {
  const repeat = values.repeat ?? REPEAT;
  return (
    <Option
      label={t("Repeat until somebody does")}
      on={values.repeat !== null}
      error={error("repeat", true)}
      change={(on) => set({ repeat: on ? REPEAT : null })}
    >
      <div className="pair">
        <Duration label={t("Every")} value={repeat.everySeconds} error={error("repeat.everySeconds")} change={(everySeconds) => set({ repeat: { ...repeat, everySeconds } })} />
        <Times label={t("So many times at most")} most={100} value={repeat.maxTimes} error={error("repeat.maxTimes")} change={(maxTimes) => set({ repeat: { ...repeat, maxTimes } })} />
      </div>
    </Option>
  );
}

function Escalation({ rule: { values, set, error } }: { rule: Editing }) {
  const steps = values.escalation ?? [];
  const put = (next: Step[]) => set({ escalation: next.length ? next : null, ...(!next.length && { escalationLoops: 1 }) });
  return (
    <div>
      <Text size="sm" fw={600} id="escalation">
        {t("If nobody does, tell others")}
      </Text>
      <Text size="xs" c="dimmed" mb="xs">
        {t("Step after step, each counted from the one before.")}
      </Text>
      <ol className="steps" aria-labelledby="escalation">
        {steps.map((step, place) => (
          <OneStep
            key={place}
            place={place}
            step={step}
            error={(name) => error(`escalation.${place}${name ? `.${name}` : ""}`, !name)}
            change={(next) => put(steps.map((each, at) => (at === place ? next : each)))}
            remove={() => put(steps.filter((_, at) => at !== place))}
          />
        ))}
      </ol>
      {steps.length < MOST_STEPS && (
        <Button size="compact-sm" variant="default" leftSection={<IconPlus size={14} aria-hidden />} onClick={() => put([...steps, STEP])}>
          {t("Step")}
        </Button>
      )}
      {steps.length > 0 && (
        <div className="narrow">
          <Times label={t("Go through them so many times")} most={10} value={values.escalationLoops} error={error("escalationLoops")} change={(escalationLoops) => set({ escalationLoops })} />
        </div>
      )}
    </div>
  );
}

interface StepProps {
  place: number;
  step: Step;
  error: (name?: string) => string | undefined;
  change: (step: Step) => void;
  remove: () => void;
}

function OneStep({ place, step, error, change, remove }: StepProps) {
  const mayFind = useMay("users:read");
  const roles = useRoles().map((role) => role.name);
  const told = step.roles ?? [];
  return (
    <li className="inset">
      <div className="step-head">
        <Text size="sm" fw={600}>
          {t("Step {n}", { n: place + 1 })}
        </Text>
        <ActionIcon variant="subtle" color="gray" aria-label={t("Remove step {n}", { n: place + 1 })} onClick={remove}>
          <IconTrash size={16} />
        </ActionIcon>
      </div>
      <Duration label={t("After")} value={step.afterSeconds} error={error("afterSeconds")} change={(afterSeconds) => change({ ...step, afterSeconds })} />
      <MultiSelect
        label={t("Roles")}
        data={[...new Set([...roles, ...told])]}
        searchable
        hidePickedOptions
        value={told}
        error={error("roles") ?? error()}
        onChange={(next) => change({ ...step, roles: next })}
      />
      {mayFind && <PeopleField label={t("People")} value={step.users ?? []} error={error("users")} change={(users) => change({ ...step, users })} />}
    </li>
  );
}

interface TimesProps {
  label: string;
  most: number;
  value: number;
  error?: string;
  change: (times: number) => void;
}

export function Times({ label, most, value, error, change }: TimesProps) {
  return <NumberInput label={label} min={1} max={most} allowDecimal={false} value={value} error={error} onChange={(times) => typeof times === "number" && change(times)} />;
}
