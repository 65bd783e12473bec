import { Fold } from "@/components/ui/Fold";
import { t } from "@/lib/t";
import type { Editing } from "./editing";
import { Fields } from "./Fields";
import { LinkFields } from "./LinkFields";
import { TemplateField } from "./TemplateField";
import { Translations } from "./Translations";
import { wordsLine } from "./summary";

/** Where it leads, what it says in other languages, and words that rules share. */
export function MoreWordsPart({ rule }: { rule: Editing }) {
  const { values, set, error } = rule;
  const { action, translations, template } = values;
  const wrong = ["action", "translations", "template"].some((name) => error(name));
  return (
    <Fold title={t("Link and languages")} summary={wordsLine(values)} opened={Boolean(action ?? template) || Object.keys(translations ?? {}).length > 0} wrong={wrong}>
      <Fields>
        <LinkFields action={action} error={(name) => error(`action${name}`, !name)} change={(next) => set({ action: next })} />
        <TemplateField kind="notification" value={template} error={error("template")} change={(name) => set({ template: name })} />
        <Translations translations={translations ?? {}} error={error} change={(next) => set({ translations: next })} />
      </Fields>
    </Fold>
  );
}
