import { ActionIcon, Autocomplete, Button, Group as Row, NativeSelect, SegmentedControl, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { IconPlus, IconTrash } from "@/components/ui/icons";
import { t } from "@/lib/t";
import { FIELD, shownValue, typedValue, type Group, type Operator, type Test, type Value } from "./condition";

const WORDS: Record<Operator, string> = {
  "==": t("is"),
  "!=": t("is not"),
  ">": t("is more than"),
  ">=": t("is at least"),
  "<": t("is less than"),
  "<=": t("is at most"),
  contains: t("contains"),
  startsWith: t("begins with"),
  endsWith: t("ends with"),
  in: t("is one of"),
  has: t("is there"),
  "!has": t("is missing"),
};
const CHOICES = Object.entries(WORDS).map(([value, label]) => ({ value, label }));

interface Props {
  group: Group;
  change: (group: Group) => void;
  fields: string[];
  remove?: () => void;
}

export function ConditionGroup({ group, change, fields, remove }: Props) {
  const put = (place: number, item: Test | Group | null) => {
    const items = [...group.items];
    if (item) items[place] = item;
    else items.splice(place, 1);
    change({ ...group, items });
  };
  const add = (item: Test | Group) => change({ ...group, items: [...group.items, item] });
  const test = (): Test => ({ kind: "test", field: fields[0] ?? "payload.amount", operator: "==", value: "" });
  return (
    <div className="condition-group">
      <Row gap="xs" justify="space-between">
        {group.items.length > 1 ? (
          <SegmentedControl
            size="xs"
            value={group.joined}
            onChange={(joined) => change({ ...group, joined: joined as Group["joined"] })}
            aria-label={t("How the conditions join")}
            data={[
              { value: "all", label: t("All of these") },
              { value: "any", label: t("Any of these") },
            ]}
          />
        ) : (
          <Text size="xs" c="dimmed">
            {group.items.length ? t("Only when") : t("Every event of these types matches.")}
          </Text>
        )}
        {remove && (
          <ActionIcon variant="subtle" color="gray" onClick={remove} aria-label={t("Remove the group")}>
            <IconTrash size={16} />
          </ActionIcon>
        )}
      </Row>
      {group.items.map((item, place) =>
        item.kind === "group" ? (
          <ConditionGroup key={place} group={item} fields={fields} change={(next) => put(place, next)} remove={() => put(place, null)} />
        ) : (
          <ConditionRow key={place} test={item} fields={fields} change={(next) => put(place, next)} />
        ),
      )}
      <Row gap="xs" mt="xs">
        <Button size="compact-sm" variant="default" leftSection={<IconPlus size={14} aria-hidden />} onClick={() => add(test())}>
          {t("Condition")}
        </Button>
        {group.items.length > 0 && (
          <Button size="compact-sm" variant="subtle" color="gray" onClick={() => add({ kind: "group", joined: group.joined === "all" ? "any" : "all", items: [test()] })}>
            {t("Group")}
          </Button>
        )}
      </Row>
    </div>
  );
}

function ConditionRow({ test, change, fields }: { test: Test; change: (test: Test | null) => void; fields: string[] }) {
  const alone = test.operator === "has" || test.operator === "!has";
  return (
    <div className="condition-row">
      <Autocomplete
        size="sm"
        aria-label={t("Field")}
        data={fields}
        value={test.field}
        error={!FIELD.test(test.field)}
        onChange={(field) => change({ ...test, field })}
      />
      <NativeSelect
        size="sm"
        aria-label={t("Comparison")}
        data={CHOICES}
        value={test.operator}
        onChange={({ currentTarget: { value } }) => change(withOperator(test, value as Operator))}
      />
      {alone ? <span /> : <ValueInput value={test.value} list={test.operator === "in"} change={(value) => change({ ...test, value })} />}
      <ActionIcon variant="subtle" color="gray" onClick={() => change(null)} aria-label={t("Remove the condition")}>
        <IconTrash size={16} />
      </ActionIcon>
    </div>
  );
}

/** What is typed is kept as it is typed, so that `1.` may become `1.5`. */
function ValueInput({ value, list, change }: { value: Test["value"]; list: boolean; change: (value: Test["value"]) => void }) {
  const [text, setText] = useState(() => shown(value));
  return (
    <TextInput
      size="sm"
      aria-label={t("Value")}
      placeholder={list ? t("gold, silver") : t("Value")}
      value={text}
      onChange={({ currentTarget: { value: typed } }) => {
        setText(typed);
        change(list ? typed.split(",").map((part) => typedValue(part.trim())) : typedValue(typed));
      }}
    />
  );
}

function shown(value: Test["value"]): string {
  return Array.isArray(value) ? value.map(shownValue).join(", ") : shownValue(value);
}

function withOperator(test: Test, operator: Operator): Test {
  if (operator === "has" || operator === "!has") return { ...test, operator, value: null };
  if (operator === "in") return { ...test, operator, value: Array.isArray(test.value) ? test.value : [test.value ?? ""] };
  const one: Value = Array.isArray(test.value) ? (test.value[0] ?? "") : (test.value ?? "");
  return { ...test, operator, value: one };
}
