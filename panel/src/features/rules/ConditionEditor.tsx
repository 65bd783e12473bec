import { Button, Group as Row, SegmentedControl, Text } from "@mantine/core";
import { lazy, Suspense, useState } from "react";
import { t } from "@/lib/t";
import { NONE, read, write, type Group } from "./condition";
import { ConditionGroup } from "./ConditionGroup";

const CelEditor = lazy(() => import("./CelEditor"));

interface Props {
  value: string;
  change: (cel: string) => void;
  fields: string[];
  error?: string;
}

/** The same condition as a form or as CEL. The text counts; the form is offered when it can show all of it. */
export function ConditionEditor({ value, change, fields, error }: Props) {
  const [draft, setDraft] = useState<{ cel: string; tree: Group } | null>(null);
  // While it is being filled in, a form may hold a half that CEL has no words for; so it is kept as it is.
  const tree = draft?.cel === value ? draft.tree : read(value);
  const [mode, setMode] = useState<"form" | "code">(tree ? "form" : "code");
  const shown = tree ? mode : "code";

  function changeTree(next: Group) {
    const cel = write(next);
    setDraft({ cel, tree: next });
    change(cel);
  }

  return (
    <div>
      <Row justify="space-between" mb={6}>
        <Text size="sm" fw={600} id="condition-label">
          {t("Condition")}
        </Text>
        <SegmentedControl
          size="xs"
          value={shown}
          onChange={(chosen) => setMode(chosen as "form" | "code")}
          disabled={!tree}
          aria-label={t("Edit the condition as")}
          data={[
            { value: "form", label: t("Form") },
            { value: "code", label: t("Code") },
          ]}
        />
      </Row>
      {shown === "form" ? (
        <ConditionGroup group={tree ?? NONE} change={changeTree} fields={fields} />
      ) : (
        <Suspense fallback={<div className="cel" style={{ height: 42 }} />}>
          <CelEditor value={value} change={change} labelledBy="condition-label" />
        </Suspense>
      )}
      {!tree && (
        <Text size="xs" c="dimmed" mt={4}>
          {t("This condition says more than the form can show, so it stays code.")}
        </Text>
      )}
      {shown === "code" && (
        <Text size="xs" c="dimmed" mt={4}>
          {t("CEL over payload, event and user. Empty: every event of these types matches.")}{" "}
          {value && (
            <Button variant="subtle" size="compact-xs" onClick={() => change("")}>
              {t("Clear")}
            </Button>
          )}
        </Text>
      )}
      {error && (
        <Text size="xs" c="var(--mantine-color-error)" mt={4} role="alert">
          {error}
        </Text>
      )}
    </div>
  );
}
