import { Table } from "@mantine/core";
import { Section } from "@/components/ui/Page";
import { t } from "@/lib/t";
import { outcome, share, statesOf, type Stats } from "./counts";

interface Props {
  stats: Stats;
  days: string[];
  choose: (channel: string) => void;
}

/** Each channel's share of what reached people and of what failed. A click on one draws it alone. */
export function Channels({ stats, days, choose }: Props) {
  const inside = stats.days.filter(({ date }) => days.includes(date));
  const rows = Object.keys(stats.deliveriesByChannel)
    .map((channel) => ({ channel, ...outcome(sums(inside.map((day) => statesOf(day, channel)))) }))
    .sort((one, other) => other.reached + other.failed - one.reached - one.failed);
  const most = Math.max(...rows.map(({ reached, failed }) => reached + failed), 1);
  return (
    <Section title={t("By channel")}>
      <Table className="rows numbers" horizontalSpacing="md" aria-label={t("By channel")}>
        <Table.Thead>
          <Table.Tr>
            {[t("Channel"), t("Reached"), t("Failed"), t("Waiting"), t("Not sent"), t("Share that failed")].map((name) => (
              <Table.Th key={name} scope="col">
                {name}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map(({ channel, reached, failed, waiting, left }) => (
            <Table.Tr key={channel} data-linked>
              <Table.Td>
                <button type="button" className="row-link row-button" onClick={() => choose(channel)}>
                  {channel}
                </button>
                <span className="share" aria-hidden>
                  <span style={{ width: `${(reached / most) * 100}%` }} />
                  <span data-bad style={{ width: `${(failed / most) * 100}%` }} />
                </span>
              </Table.Td>
              <Table.Td data-name={t("Reached")}>{reached.toLocaleString()}</Table.Td>
              <Table.Td data-name={t("Failed")}>{failed.toLocaleString()}</Table.Td>
              <Table.Td data-name={t("Waiting")}>{waiting.toLocaleString()}</Table.Td>
              <Table.Td data-name={t("Not sent")}>{left.toLocaleString()}</Table.Td>
              <Table.Td data-name={t("Share that failed")}>{share(failed, reached + failed)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Section>
  );
}

function sums(all: Record<string, number>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const [state, count] of all.flatMap(Object.entries) as [string, number][]) total[state] = (total[state] ?? 0) + count;
  return total;
}
