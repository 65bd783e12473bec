import { Select } from "@mantine/core";
import { t } from "@/lib/t";

interface Props {
  value: string | null | undefined;
  change: (zone: string | null) => void;
  /** What stands before the zones of the world. */
  special?: { value: string; label: string }[];
  placeholder?: string;
  error?: string;
}

const ZONES = Intl.supportedValuesOf("timeZone");
const MOST_SHOWN = 40;

export function ZoneField({ value, change, special = [], placeholder, error }: Props) {
  const zones = !value || ZONES.includes(value) || special.some((each) => each.value === value) ? ZONES : [value, ...ZONES];
  return (
    <Select
      label={t("Time zone")}
      data={[...special, ...zones.map((zone) => ({ value: zone, label: zone }))]}
      searchable
      limit={MOST_SHOWN}
      clearable={placeholder !== undefined}
      clearButtonProps={{ "aria-label": t("Clear") }}
      allowDeselect={placeholder !== undefined}
      placeholder={placeholder}
      maw={320}
      value={value ?? null}
      error={error}
      onChange={change}
    />
  );
}
