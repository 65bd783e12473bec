import { Select } from "@mantine/core";
import { t } from "@/lib/t";
import { useTemplates } from "./choices";

interface Props {
  kind: "notification" | "digest";
  value: string | null;
  error: string | undefined;
  change: (name: string | null) => void;
}

/** Words that several rules share; nothing where there are none. */
export function TemplateField({ kind, value, error, change }: Props) {
  const templates = useTemplates(kind);
  if (templates.length === 0 && !value) return null;
  return (
    <Select
      label={t("Words of a template")}
      description={t("They go before those above, in their languages and channels.")}
      placeholder={t("None")}
      data={[...new Set([...templates, ...(value ? [value] : [])])]}
      clearable
      clearButtonProps={{ "aria-label": t("Clear") }}
      value={value}
      error={error}
      onChange={change}
    />
  );
}
