import { TextInput } from "@mantine/core";
import { t } from "@/lib/t";

const DAY_MS = 86_400_000;

interface Span {
  since?: string;
  until?: string;
}

interface Props extends Span {
  change: (span: { since?: string | null; until?: string | null }) => void;
}

/** From which day on and until which, both of them included. Days are those of UTC. */
export function Days({ since, until, change }: Props) {
  return (
    <>
      <TextInput type="date" aria-label={t("From this day on")} leftSection={<span className="day">{t("from")}</span>} leftSectionWidth={52} value={since ?? ""} onChange={({ currentTarget }) => change({ since: currentTarget.value || null })} />
      <TextInput type="date" aria-label={t("Until this day")} leftSection={<span className="day">{t("to")}</span>} leftSectionWidth={36} value={until ?? ""} onChange={({ currentTarget }) => change({ until: currentTarget.value || null })} />
    </>
  );
}

/** The moments that those days lie between. */
export function moments({ since, until }: Span): { from?: string; to?: string } {
  return { from: since && `${since}T00:00:00Z`, to: until && new Date(Date.parse(`${until}T00:00:00Z`) + DAY_MS).toISOString() };
}
