import { Select } from "@mantine/core";
import { Fold } from "@/components/ui/Fold";
import { t } from "@/lib/t";
import { useTemplates } from "./choices";
import type { Editing } from "./editing";
import { Fields } from "./Fields";
import { LinkFields } from "./LinkFields";
import { Translations } from "./Translations";
import { wordsLine } from "./summary";

/** Where it leads, what it says in other languages, and words that rules share. */
export function MoreWordsPart({ rule }: { rule: Editing }) {
  const { values, set, error } = rule;
  const { action, translations, template } = values;
  const templates = useTemplates();
  const wrong = ["action", "translations", "template"].some((name) => error(name));
  return (
    <Fold title={t("Link and languages")} summary={wordsLine(values)} opened={Boolean(action ?? template) || Object.keys(translations ?? {}).length > 0} wrong={wrong}>
      <Fields>
        <LinkFields action={action} error={(name) => error(`action${name}`, !name)} change={(next) => set({ action: next })} />
        {(templates.length > 0 || template) && (
          <Select
            label={t("Words of a template")}
            description={t("They go before those above, in their languages and channels.")}
            placeholder={t("None")}
            data={[...new Set([...templates, ...(template ? [template] : [])])]}
            clearable
            clearButtonProps={{ "aria-label": t("Clear") }}
            value={template}
            error={error("template")}
            onChange={(name) => set({ template: name })}
          />
        )}
        <Translations translations={translations ?? {}} error={error} change={(next) => set({ translations: next })} />
      </Fields>
    </Fold>
  );
}
