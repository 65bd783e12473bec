import { Button, Group, Select, SimpleGrid, Switch, Table, Text } from "@mantine/core";
import { useMemo, useState } from "react";
import { Section } from "@/components/ui/Page";
import { t, tn } from "@/lib/t";
import { useRoles } from "../roles";
import { checked, TARGETS, type Checked, type Mapping, type Target } from "./fields";
import type { Sheet } from "./table";

interface Props {
  sheet: Sheet;
  mapping: Mapping;
  map: (mapping: Mapping) => void;
  begin: (people: Checked[]) => void;
  back: () => void;
}

/** What each column means, and what that makes of every row. Nothing was sent yet. */
export function Preview({ sheet, mapping, map, begin, back }: Props) {
  const roles = useRoles();
  const all = useMemo(() => checked(sheet, mapping, roles.map(({ name }) => name)), [sheet, mapping, roles]);
  const good = all.filter(({ mistakes }) => !mistakes.length);
  return (
    <>
      <Section title={t("What the columns are")}>
        <SimpleGrid cols={{ base: 1, xs: 2, md: 3 }}>
          {sheet.columns.map((column) => (
            <Select
              key={column}
              label={column}
              description={example(sheet, column)}
              allowDeselect={false}
              data={TARGETS}
              value={mapping[column]}
              onChange={(target) => target && map(mapped(mapping, column, target as Target))}
            />
          ))}
        </SimpleGrid>
      </Section>
      <Rows all={all} good={good.length} />
      <Group mb="xl">
        <Button onClick={() => begin(good)} disabled={!good.length}>
          {tn(good.length, "Bring 1 person in", "Bring {n} people in")}
        </Button>
        <Button variant="default" onClick={back}>
          {t("Another file")}
        </Button>
      </Group>
    </>
  );
}

/** A field has one column: whichever had it before is kept beside the person. */
function mapped(mapping: Mapping, column: string, target: Target): Mapping {
  const single = target !== "other" && target !== "none";
  const others = Object.entries(mapping).map(([name, before]) => [name, single && before === target ? "other" : before]);
  return { ...Object.fromEntries(others), [column]: target };
}

function example({ rows }: Sheet, column: string): string {
  const found = rows.find(({ cells }) => cells[column])?.cells[column];
  const text = typeof found === "object" ? JSON.stringify(found) : String(found ?? t("always empty"));
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

const MOST_SHOWN = 50;

function Rows({ all, good }: { all: Checked[]; good: number }) {
  const [onlyWrong, setOnlyWrong] = useState(false);
  const wrong = all.length - good;
  const shown = (onlyWrong && wrong ? all.filter(({ mistakes }) => mistakes.length) : all).slice(0, MOST_SHOWN);
  const note = wrong ? tn(wrong, "1 row has a mistake and is left out", "{n} rows have mistakes and are left out") : t("Nothing wrong to be seen");
  return (
    <Section
      title={tn(all.length, "1 row", "{n} rows")}
      aside={
        <Group gap="md">
          <Text size="sm" className={wrong ? "mistake" : "dimmed"} role="status">
            {note}
          </Text>
          {wrong > 0 && <Switch size="xs" label={t("Only these")} checked={onlyWrong} onChange={({ currentTarget: { checked: on } }) => setOnlyWrong(on)} />}
        </Group>
      }
    >
      <Table className="rows" verticalSpacing="xs" horizontalSpacing="md" aria-label={t("Rows")}>
        <Table.Thead>
          <Table.Tr>
            {[t("Line"), t("Own id"), t("E-mail"), t("Name"), t("Roles"), t("Mistakes")].map((name) => (
              <Table.Th key={name} scope="col">
                {name}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {shown.map(({ row, person, mistakes }) => (
            <Table.Tr key={row.line} data-wrong={mistakes.length > 0 || undefined}>
              <Table.Td className="line-number">{row.line}</Table.Td>
              <Table.Td>{person.externalUserId ?? <span className="dimmed">–</span>}</Table.Td>
              <Table.Td>{person.email ?? <span className="dimmed">–</span>}</Table.Td>
              <Table.Td>{person.name ?? <span className="dimmed">–</span>}</Table.Td>
              <Table.Td>{person.roles?.map((role) => <span key={role} className="chip">{role}</span>) ?? <span className="dimmed">–</span>}</Table.Td>
              <Table.Td>{mistakes.length ? <span className="mistake">{mistakes.join("; ")}</span> : <span className="dimmed">–</span>}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {all.length > MOST_SHOWN && (
        <Text size="xs" c="dimmed" p="sm" ta="center">
          {t("The first {n} are shown; all of them were looked at.", { n: MOST_SHOWN })}
        </Text>
      )}
    </Section>
  );
}
